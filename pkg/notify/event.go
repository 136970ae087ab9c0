package notify

import (
	"slices"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// The envelope of the events that the queue holds.
const (
	source         = "keyreeve"
	detailFinished = "Key Operation Finished"
	detailSwept    = "Key Sweep Finished"
	detailStopped  = "Key Sweep Stopped"
	detailWarn     = "Key Warning Due"
)

// event is what a message holds: one of these is set.
type event struct {
	outcome *guard.Finished
	sweep   *guard.Sweep
	warning *guard.OwnerWarning
}

// readEvent reads the event in a message. Members that are not known are left alone, so that the functions that announce may
// be newer than this one. Errors are of kind [guard.Invalid].
func readEvent(body []byte) (event, error) {
	var envelope events.EventBridgeEvent
	if err := edge.DecodeEnvelope(body, &envelope); err != nil {
		return event{}, err
	}
	if envelope.Source == source {
		switch envelope.DetailType {
		case detailFinished:
			outcome, err := readOutcome(envelope.Detail)
			return event{outcome: &outcome}, err
		case detailSwept, detailStopped:
			sweep, err := readSweep(envelope.Detail, envelope.DetailType == detailStopped)
			return event{sweep: &sweep}, err
		case detailWarn:
			warning, err := readWarning(envelope.Detail)
			return event{warning: &warning}, err
		}
	}
	return event{}, unreadable("It is " + edge.Clip(envelope.DetailType) + " of " + edge.Clip(envelope.Source) + ".")
}

func readOutcome(detail []byte) (outcome guard.Finished, err error) {
	if err := edge.DecodeEnvelope(detail, &outcome); err != nil {
		return outcome, err
	}
	if len(outcome.Keys) == 0 && len(outcome.Warnings) == 0 && outcome.ID == "" {
		return outcome, unreadable("It holds neither keys nor warnings nor the id of a request.")
	}
	if len(outcome.Keys) > 0 && !slices.Contains(guard.Actions(), outcome.Action) {
		return outcome, unreadable("Nobody here knows the action " + edge.Clip(string(outcome.Action)) + ".")
	}
	for _, key := range outcome.Keys {
		switch key.Outcome {
		case guard.Changed, guard.Unchanged, guard.Refused, guard.Superseded, guard.Failed:
		default:
			return outcome, unreadable("Nobody here knows the outcome " + edge.Clip(string(key.Outcome)) + ".")
		}
	}
	return outcome, nil
}

func readSweep(detail []byte, stopped bool) (sweep guard.Sweep, err error) {
	if err := edge.DecodeEnvelope(detail, &sweep); err != nil {
		return sweep, err
	}
	if sweep.ID == "" || sweep.StartedAt.IsZero() {
		return sweep, unreadable("It holds no sweep with an id and a start.")
	}
	if stopped != (sweep.Stopped != nil) {
		return sweep, unreadable("Its type and what it holds do not agree on whether the sweep was stopped.")
	}
	return sweep, nil
}

func readWarning(detail []byte) (warning guard.OwnerWarning, err error) {
	if err := edge.DecodeEnvelope(detail, &warning); err != nil {
		return warning, err
	}
	if warning.User.ID == "" || len(warning.Keys) == 0 {
		return warning, unreadable("It holds no user with keys.")
	}
	if slices.ContainsFunc(warning.Keys, func(k guard.AgingKey) bool { return k.ID == "" || k.DeactivateAfter.IsZero() }) {
		return warning, unreadable("It holds a key without an id, or without the time from which it may be switched off.")
	}
	return warning, nil
}

func unreadable(why string) error {
	return &guard.Error{
		Kind: guard.Invalid, Message: "The event is none that people are told of. " + why,
		Remedy: "Let the rule send only events of the types " + detailFinished + ", " + detailSwept + ", " + detailStopped + " and " + detailWarn + ".",
	}
}
