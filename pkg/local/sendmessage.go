package main

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// Limits of one message.
const (
	// maxMessageSize is that of the body and of each attribute's name, type and value together.
	maxMessageSize = 1 << 20
	maxAttributes  = 10
)

// sendMessage is SendMessage of SQS, for messages that are not to be delayed and have no attributes but texts and numbers.
// The answer has no checksums.
func (a *awsAPI) sendMessage(w http.ResponseWriter, body []byte) {
	var request struct {
		URL        string               `json:"QueueUrl"`
		Body       string               `json:"MessageBody"`
		Attributes map[string]attribute `json:"MessageAttributes"`
	}
	if err := decodeStrictly(body, &request); err != nil {
		answerAWSError(w, "SerializationException", err.Error())
		return
	}
	q, ok := a.queues[nameOfQueueURL(request.URL)]
	if !ok {
		answerAWSError(w, "QueueDoesNotExist", "The specified queue does not exist.")
		return
	}
	if code, reason := refusedMessage(request.Body, request.Attributes); code != "" {
		answerAWSError(w, code, reason)
		return
	}
	m := q.sendWith(request.Attributes, request.Body, requestOf(request.Body))
	sent := fmt.Sprintf("%s: a message was sent, %s", q.spec.name, m.name())
	if len(m.attributes) > 0 {
		sent += fmt.Sprintf(": %v", m.values())
	}
	a.console.step("%s", sent)
	answerJSON(w, http.StatusOK, map[string]string{"MessageId": m.id})
}

// refusedMessage returns the code and the text of the error that SQS refuses such a message with, or none.
func refusedMessage(body string, attributes map[string]attribute) (code, reason string) {
	if body == "" {
		return "MissingParameter", "The request must contain the parameter MessageBody."
	}
	if len(attributes) > maxAttributes {
		return "InvalidParameterValue", fmt.Sprintf("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(attributes), maxAttributes)
	}
	size := len(body)
	texts := []string{body}
	for name, a := range attributes {
		if a.StringValue == "" {
			return "InvalidParameterValue", fmt.Sprintf("Message (user) attribute '%s' must contain a non-empty value of type 'String'.", name)
		}
		if a.DataType != "String" && a.DataType != "Number" {
			return "InvalidParameterValue", fmt.Sprintf("The type of message (user) attribute '%s' is invalid here: %q.", name, a.DataType)
		}
		size += len(name) + len(a.DataType) + len(a.StringValue)
		texts = append(texts, a.StringValue)
	}
	switch {
	case size > maxMessageSize:
		return "InvalidParameterValue", fmt.Sprintf("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", maxMessageSize)
	case strings.ContainsFunc(strings.Join(texts, ""), forbidden):
		return "InvalidMessageContents", "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF."
	}
	return "", ""
}

// forbidden reports whether SQS takes no message with the character in it.
func forbidden(r rune) bool {
	return r < ' ' && !strings.ContainsRune("\t\n\r", r) || r == 0xFFFE || r == 0xFFFF || !utf8.ValidRune(r)
}
