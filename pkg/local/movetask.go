package main

import (
	"maps"
	"net/http"
	"slices"
)

// startMessageMoveTask is StartMessageMoveTask of SQS: it moves dead letters where they came from, or to another queue.
// Unlike on AWS all of them have been moved when the call is answered, so that there is no task to list or to cancel,
// and a speed is refused.
func (a *awsAPI) startMessageMoveTask(w http.ResponseWriter, body []byte) {
	var request struct {
		Source      string `json:"SourceArn"`
		Destination string `json:"DestinationArn"`
	}
	if err := decodeStrictly(body, &request); err != nil {
		answerAWSError(w, "SerializationException", err.Error())
		return
	}
	source, ok := a.queueOf(request.Source)
	if !ok {
		answerAWSError(w, "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.")
		return
	}
	if !a.isDeadLetterQueue(source) {
		answerAWSError(w, "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
		return
	}
	destination := func(m *message) *queue { return m.failedIn }
	if request.Destination != "" {
		given, ok := a.queueOf(request.Destination)
		if !ok {
			answerAWSError(w, "ResourceNotFoundException", "The resource that you specified for the DestinationArn parameter doesn't exist.")
			return
		}
		destination = func(*message) *queue { return given }
	}
	moved, kept := source.move(destination)
	a.console.step("%s: moved %d of %d messages", source.spec.name, moved, moved+kept)
	if kept > 0 {
		// On AWS the task fails, and list-message-move-tasks tells why.
		a.console.step("%s: the others came from no queue (CouldNotDetermineMessageSource): name one, with --destination-arn", source.spec.name)
	}
	answerJSON(w, http.StatusOK, map[string]string{"TaskHandle": newID()})
}

// queueOf returns the queue of the ARN.
func (a *awsAPI) queueOf(arn string) (*queue, bool) {
	q, ok := a.queues[nameOfARN(arn)]
	return q, ok && arn == queueARN(q.spec.name)
}

// isDeadLetterQueue reports whether another queue's failed messages go to the queue.
func (a *awsAPI) isDeadLetterQueue(q *queue) bool {
	return slices.ContainsFunc(slices.Collect(maps.Values(a.queues)), func(other *queue) bool { return other.deadLetters == q })
}
