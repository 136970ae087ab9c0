package main

import (
	"io"
	"net/http"
)

// awsAPI answers the AWS SDKs and the AWS CLI: PutEvents of EventBridge, SendMessage and StartMessageMoveTask of SQS, and
// nothing else, loudly.
type awsAPI struct {
	bus     *bus
	queues  map[string]*queue
	console *console
}

func (a *awsAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", newID())
	w.Header().Set("Content-Type", r.Header.Get("Content-Type")) // the version of the JSON protocol that the service has
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		answerAWSError(w, "SerializationException", err.Error())
		return
	}
	switch operation := r.Header.Get("X-Amz-Target"); operation {
	case "AWSEvents.PutEvents":
		a.putEvents(w, body)
	case "AmazonSQS.SendMessage":
		a.sendMessage(w, body)
	case "AmazonSQS.StartMessageMoveTask":
		a.startMessageMoveTask(w, body)
	default:
		a.console.step("a call to AWS that is not possible here: %s", operation)
		answerAWSError(w, "UnknownOperationException", operation+" is not possible here")
	}
}

func answerAWSError(w http.ResponseWriter, kind, message string) {
	answerJSON(w, http.StatusBadRequest, map[string]string{"__type": kind, "message": message})
}
