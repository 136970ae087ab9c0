package deadletter

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"keyreeve/pkg/guard"
)

// maxSize is how many bytes SQS takes as one message: the body, and of each attribute its name, its type and its value.
const maxSize = 1 << 20

// epitaph is what is written on a dead letter: Why, in the words meant for people; the Kind of error; the number of
// Attempts; and the MessageId by which the log knows the message, because SQS gives what is sent a new one. Why is cut to
// what the body leaves room for. A body that fills the message by itself is sent without any of it.
func epitaph(id, body string, why *guard.Error, tries int) map[string]types.MessageAttributeValue {
	attributes := map[string]types.MessageAttributeValue{
		"Kind":      {DataType: aws.String("String"), StringValue: aws.String(string(why.Kind))},
		"Attempts":  {DataType: aws.String("Number"), StringValue: aws.String(strconv.Itoa(tries))},
		"MessageId": {DataType: aws.String("String"), StringValue: aws.String(id)},
	}
	room := maxSize - len(body) - len("Why") - len("String")
	for name, attribute := range attributes {
		room -= len(name) + len(*attribute.DataType) + len(*attribute.StringValue)
	}
	if room < utf8.UTFMax {
		return nil
	}
	reason := cut(strings.Map(allowed, strings.TrimSpace(why.Message+" "+why.Remedy)), room)
	attributes["Why"] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(reason)}
	return attributes
}

// allowed returns the character, or its replacement where SQS does not take it: it refuses what XML cannot hold.
func allowed(r rune) rune {
	switch {
	case r == '\t', r == '\n', r == '\r', r >= ' ' && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000:
		return r
	default:
		return utf8.RuneError
	}
}

// cut shortens valid UTF-8 to limit bytes, which must be enough for any one character.
func cut(text string, limit int) string {
	const ellipsis = "…"
	if len(text) <= limit {
		return text
	}
	end := limit - len(ellipsis)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
