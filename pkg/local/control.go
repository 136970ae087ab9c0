package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"keyreeve/pkg/slackapi/slacktest"
)

// patience is how long POST /_events waits for what an event causes, and GET /_idle for what anything caused.
const patience = 30 * time.Second

// control is what the runner offers besides what AWS does: a look inside, and a way in that waits for the outcome.
type control struct {
	bus       *bus
	queues    map[string]*queue
	functions map[string]*function
	tracker   *tracker
	// slack is nil where there is no workspace to look into.
	slack  *slacktest.Slack
	invoke func(ctx context.Context, function string, payload []byte) ([]byte, error)
}

func (c *control) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_events", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, c.bus.events()) })
	mux.HandleFunc("POST /_events", withBody(c.sendEvent))
	mux.HandleFunc("GET /_functions/{name}", c.showFunction)
	mux.HandleFunc("GET /_idle", c.awaitIdle)
	mux.HandleFunc("GET /_queues/{name}", c.showQueue)
	mux.HandleFunc("POST /_queues/{name}", withBody(c.sendMessage))
	mux.HandleFunc("POST /_invoke/{name}", withBody(c.invokeFunction))
	if c.slack != nil {
		mux.HandleFunc("GET /_slack", c.showSlack)
		mux.HandleFunc("POST /_slack", withBody(c.actInSlack))
	}
	return mux
}

// withBody reads the body of a call, up to the limit of API Gateway.
func withBody(handle func(http.ResponseWriter, *http.Request, []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			answerMessage(w, http.StatusRequestEntityTooLarge, err.Error())
			return
		}
		handle(w, r, body)
	}
}

// eventReport is what became of an event.
type eventReport struct {
	EventID string `json:"eventId"`
	// Delivered names the queues that got a message because of it.
	Delivered []string `json:"delivered"`
	// Outcomes are the details of the "Key Operation Finished" events about it.
	Outcomes    []json.RawMessage `json:"outcomes"`
	DeadLetters []deadLetter      `json:"deadLetters"`
	// Unfinished: something was still under way when the report was made.
	Unfinished bool `json:"unfinished,omitempty"`
}

// sendEvent puts an event on the bus, or a partner's on the bus of that partner, and answers when everything it caused is done.
func (c *control) sendEvent(w http.ResponseWriter, r *http.Request, body []byte) {
	var e event
	if err := decodeStrictly(body, &e); err != nil {
		answerMessage(w, http.StatusBadRequest, "The body must be an event, {\"source\", \"detail-type\", \"detail\"}: "+err.Error())
		return
	}
	e = e.completed(time.Now())
	problem := e.validate()
	if problem == nil && e.reserved() && !e.fromPartner() {
		problem = notAuthorized()
	}
	if problem != nil {
		answerJSON(w, http.StatusBadRequest, problem)
		return
	}
	request := e.request()
	watch := c.tracker.watch(request)
	err := c.bus.publish(e)
	c.tracker.finished(request)
	if err != nil {
		answerMessage(w, http.StatusInternalServerError, err.Error())
		return
	}
	report := eventReport{EventID: e.ID}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-watch.done:
	case <-timer.C:
		report.Unfinished = true
	case <-r.Context().Done():
		report.Unfinished = true
	}
	seen := c.tracker.forget(request, watch)
	report.Delivered = append([]string{}, seen.delivered...)
	report.Outcomes = append([]json.RawMessage{}, seen.outcomes...)
	report.DeadLetters = append([]deadLetter{}, seen.deadLetters...)
	answerJSON(w, http.StatusOK, report)
}

// awaitIdle answers when no message of any request is pending, with the number of requests that it waited for. What a
// function put on the bus is pending before the function is done, and so before its caller has an answer.
func (c *control) awaitIdle(w http.ResponseWriter, r *http.Request) {
	pending, idle := c.tracker.underWay()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-idle:
		answerJSON(w, http.StatusOK, map[string]int{"waitedFor": len(pending)})
		return
	case <-timer.C:
	case <-r.Context().Done():
	}
	pending, _ = c.tracker.underWay()
	answerJSON(w, http.StatusServiceUnavailable, struct {
		Message string `json:"message"`
		// Pending is the number of messages by request.
		Pending map[string]int `json:"pending"`
	}{"Messages of these requests are still under way.", pending})
}

func (c *control) sendMessage(w http.ResponseWriter, r *http.Request, body []byte) {
	q, ok := c.queues[r.PathValue("name")]
	if !ok {
		answerMessage(w, http.StatusNotFound, "There is no queue of this name.")
		return
	}
	m := q.send(string(body), requestOf(string(body)))
	answerJSON(w, http.StatusOK, map[string]string{"MessageId": m.id})
}

func (c *control) showQueue(w http.ResponseWriter, r *http.Request) {
	q, ok := c.queues[r.PathValue("name")]
	if !ok {
		answerMessage(w, http.StatusNotFound, "There is no queue of this name.")
		return
	}
	type entry struct {
		MessageID    string            `json:"messageId"`
		Body         string            `json:"body"`
		Attributes   map[string]string `json:"attributes,omitempty"`
		ReceiveCount int               `json:"receiveCount"`
		Sent         time.Time         `json:"sent"`
	}
	waiting, inFlight := q.contents()
	entries := make([]entry, len(waiting))
	for i, m := range waiting {
		entries[i] = entry{MessageID: m.id, Body: m.body, Attributes: m.values(), ReceiveCount: m.received, Sent: m.sent}
	}
	answerJSON(w, http.StatusOK, struct {
		// ARN is what aws sqs start-message-move-task takes.
		ARN      string  `json:"arn"`
		Waiting  []entry `json:"waiting"`
		InFlight int     `json:"inFlight"`
	}{queueARN(q.spec.name), entries, inFlight})
}

// showFunction lists the processes of a function.
func (c *control) showFunction(w http.ResponseWriter, r *http.Request) {
	f, ok := c.functions[r.PathValue("name")]
	if !ok {
		answerMessage(w, http.StatusNotFound, errNoFunction.Error())
		return
	}
	answerJSON(w, http.StatusOK, struct {
		Processes []process `json:"processes"`
	}{f.processes()})
}

func (c *control) invokeFunction(w http.ResponseWriter, r *http.Request, payload []byte) {
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	result, err := c.invoke(r.Context(), r.PathValue("name"), payload)
	failure, failed := errors.AsType[*functionError](err)
	switch {
	case failed:
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		answerJSON(w, http.StatusOK, failure.document())
	case errors.Is(err, errNoFunction):
		answerMessage(w, http.StatusNotFound, err.Error())
	case err != nil:
		answerMessage(w, http.StatusInternalServerError, err.Error())
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(result) // the caller hung up: there is nobody to tell
	}
}
