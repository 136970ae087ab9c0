package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Limits of one PutEvents call.
const (
	maxEntries     = 10
	maxEntriesSize = 1 << 20
)

// putEventsEntry is an event as PutEvents takes it.
type putEventsEntry struct {
	Source       string   `json:"Source"`
	DetailType   string   `json:"DetailType"`
	Detail       string   `json:"Detail"`
	EventBusName string   `json:"EventBusName"`
	Resources    []string `json:"Resources"`
	// Time is in seconds since 1970.
	Time float64 `json:"Time"`
}

// event returns the event of the entry.
func (p putEventsEntry) event(now time.Time) event {
	e := event{Source: p.Source, DetailType: p.DetailType, Detail: json.RawMessage(p.Detail), Resources: p.Resources}
	if p.Time != 0 {
		now = time.UnixMilli(int64(p.Time * 1000))
	}
	return e.completed(now)
}

// size is what the entry counts towards the limit.
func (p putEventsEntry) size() int {
	size := len(p.Source) + len(p.DetailType) + len(p.Detail)
	for _, resource := range p.Resources {
		size += len(resource)
	}
	if p.Time != 0 {
		size += 14
	}
	return size
}

// putEventsResult is the answer for one entry: an id or an error.
type putEventsResult struct {
	EventID string `json:"EventId,omitempty"`
	Code    string `json:"ErrorCode,omitempty"`
	Message string `json:"ErrorMessage,omitempty"`
}

// putEvents is PutEvents of EventBridge.
func (a *awsAPI) putEvents(w http.ResponseWriter, body []byte) {
	var request struct {
		Entries []putEventsEntry `json:"Entries"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		answerAWSError(w, "SerializationException", err.Error())
		return
	}
	entries := request.Entries
	size := 0
	for _, entry := range entries {
		size += entry.size()
	}
	switch {
	case len(entries) == 0 || len(entries) > maxEntries:
		answerAWSError(w, "ValidationException", fmt.Sprintf("A call takes 1 to %d entries, not %d.", maxEntries, len(entries)))
		return
	case size > maxEntriesSize:
		answerAWSError(w, "ValidationException", "Total size of the entries in the request is over the limit.")
		return
	}
	var response struct {
		FailedEntryCount int               `json:"FailedEntryCount"`
		Entries          []putEventsResult `json:"Entries"`
	}
	for _, entry := range entries {
		id, problem := a.put(entry)
		if problem != nil {
			response.FailedEntryCount++
			a.console.step("an event was refused: %v", problem)
			response.Entries = append(response.Entries, putEventsResult{Code: problem.Code, Message: problem.Message})
			continue
		}
		response.Entries = append(response.Entries, putEventsResult{EventID: id})
	}
	answerJSON(w, http.StatusOK, response)
}

func (a *awsAPI) put(entry putEventsEntry) (id string, problem *entryError) {
	e := entry.event(time.Now())
	if problem := e.validate(); problem != nil {
		return "", problem
	}
	if e.reserved() {
		return "", notAuthorized()
	}
	switch entry.EventBusName {
	case a.bus.name, busARN(a.bus.name):
		if err := a.bus.publish(e); err != nil {
			return "", &entryError{Code: "InternalFailure", Message: err.Error()}
		}
	case "", "default", busARN("default"):
		// As on AWS the call succeeds, and no rule of ours hears of it.
		a.console.step("%s from %s went to the account's default bus, where nobody listens; the stack's is %s", e.DetailType, e.Source, a.bus.name)
	default:
		return "", &entryError{Code: "ResourceNotFoundException", Message: "Event bus " + entry.EventBusName + " does not exist."}
	}
	return e.ID, nil
}
