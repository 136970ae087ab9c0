package notify

import (
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// The envelope of the events that the queue holds.
const (
	source         = "keyreeve"
	detailFinished = "Key Operation Finished"
)

// readOutcome reads the event that holds an outcome. Members that are not known are left alone, so that the functions that
// announce outcomes may be newer than this one. Errors are of kind [guard.Invalid].
func readOutcome(body []byte) (guard.Finished, error) {
	var event events.EventBridgeEvent
	if err := edge.DecodeEnvelope(body, &event); err != nil {
		return guard.Finished{}, err
	}
	if event.Source != source || event.DetailType != detailFinished {
		return guard.Finished{}, unreadable("It is " + edge.Clip(event.DetailType) + " of " + edge.Clip(event.Source) + ".")
	}
	var outcome guard.Finished
	if err := edge.DecodeEnvelope(event.Detail, &outcome); err != nil {
		return guard.Finished{}, err
	}
	if len(outcome.Keys) == 0 && len(outcome.Warnings) == 0 && outcome.ID == "" {
		return guard.Finished{}, unreadable("It holds neither keys nor warnings nor the id of a request.")
	}
	if len(outcome.Keys) > 0 && !slices.Contains(guard.Actions(), outcome.Action) {
		return guard.Finished{}, unreadable("Nobody here knows the action " + edge.Clip(string(outcome.Action)) + ".")
	}
	for _, key := range outcome.Keys {
		switch key.Outcome {
		case guard.Changed, guard.Unchanged, guard.Refused, guard.Superseded, guard.Failed:
		default:
			return guard.Finished{}, unreadable("Nobody here knows the outcome " + edge.Clip(string(key.Outcome)) + ".")
		}
	}
	return outcome, nil
}

func unreadable(why string) error {
	return &guard.Error{
		Kind: guard.Invalid, Message: "The event is no outcome of a request. " + why,
		Remedy: "Let the rule send only events of the type " + detailFinished + ".",
	}
}

// forChannel reports whether the channel is to see the outcome. Who asks for a dry run gets its result and nobody else
// cares; that of a system shows what it would do if it were let.
func forChannel(f guard.Finished) bool {
	return f.Noteworthy() && (!f.DryRun || !f.Actor.Person())
}

// ownerToTell returns the e-mail address of the owner of keys that were changed, unless they know: because they asked for
// it, or because they left, which people tell them. It is empty where nobody is to be told.
func ownerToTell(f guard.Finished) string {
	if f.DryRun || f.Offboarding || !f.OffboardedAt.IsZero() || !f.Any(guard.Changed) || strings.EqualFold(f.Actor.Email, f.User.Email) {
		return ""
	}
	return strings.ToLower(f.User.Email)
}
