package sweep

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// The envelopes of what is no order.
const (
	ownSource       = "keyreeve"
	detailContinue  = "Key Sweep Continued"
	detailScheduled = "Scheduled Event"
)

// Invoke carries out a sweep, or goes on with one, and answers with a [guard.Sweep]. The payload is an order, such as {} or
// {"policy": "max_age"}, an event, or a batch of the queue that has either. That a sweep was stopped is no error.
func (s *Sweeper) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var batch struct {
		Records []json.RawMessage `json:"Records"`
	}
	var answer []byte
	var err error
	if json.Unmarshal(payload, &batch) == nil && batch.Records != nil {
		answer, err = edge.Batch(payload, func(record events.SQSMessage) error {
			_, err := s.take(ctx, []byte(record.Body))
			if err != nil {
				err = edge.GiveUp(ctx, s.Logger, err, slog.String("message", record.MessageId))
			}
			return err
		})
	} else {
		answer, err = s.take(ctx, payload)
	}
	if err != nil {
		return nil, edge.GiveUp(ctx, s.Logger, err)
	}
	return answer, nil
}

func (s *Sweeper) take(ctx context.Context, payload []byte) ([]byte, error) {
	return edge.Shield(func() ([]byte, error) {
		st, err := s.open(payload)
		if err != nil {
			return nil, err
		}
		sweep, err := s.sweep(ctx, st)
		if err != nil {
			return nil, err
		}
		return edge.Encode(sweep)
	})
}

// open returns how far the sweep is that the payload asks for: not begun, or where another invocation left it.
func (s *Sweeper) open(payload []byte) (*state, error) {
	var event events.EventBridgeEvent
	if err := edge.DecodeEnvelope(payload, &event); err != nil {
		return nil, err
	}
	var o order
	switch {
	case event.Source == ownSource && event.DetailType == detailContinue:
		var st state
		if err := edge.DecodeStrictly(event.Detail, &st, edge.Form{Name: "The state of the sweep"}); err != nil {
			return nil, err
		}
		return &st, cmp.Or(st.validate(s.Clock()), st.Order.validate(s.Rules))
	case event.DetailType == detailScheduled:
	default:
		form := edge.Form{Name: "The payload", Members: "policy, dryRun and override"}
		if err := edge.DecodeStrictly(payload, &o, form); err != nil {
			return nil, err
		}
	}
	if err := o.validate(s.Rules); err != nil {
		return nil, err
	}
	now := s.Clock().UTC()
	st := &state{Order: o, Phase: reading, Parts: []string{}}
	st.Night.StartedAt = now
	st.Night.ID = now.Format("20060102T150405Z") + "-" + s.Unique()
	return st, nil
}

const (
	// leaseID names what only one sweep may have: no user has such an id.
	leaseID = "sweep"
	// leaseTime is longer than an invocation may take.
	leaseTime = 16 * time.Minute
	// finishingTime is what is left of an invocation's time to say how far the sweep came.
	finishingTime = 15 * time.Second
	// hurryTime is how long before that calls fail for the reason that there is too little time to try them again.
	hurryTime = 15 * time.Second
)

// sweep goes on with a sweep for as long as the time of the invocation lasts.
func (s *Sweeper) sweep(ctx context.Context, st *state) (guard.Sweep, error) {
	if err := s.Leases.Acquire(ctx, leaseID, st.Night.ID, leaseTime); err != nil {
		return guard.Sweep{}, err
	}
	result, err := s.goOn(ctx, st)
	if !result.Continues {
		// What is left of the lease would keep a sweep from starting that somebody asks for right away, and no more.
		if failed := s.Leases.Release(context.WithoutCancel(ctx), leaseID, st.Night.ID); failed != nil {
			s.Logger.WarnContext(ctx, "lease not given back", slog.Any("error", failed))
		}
	}
	return result, err
}

func (s *Sweeper) goOn(ctx context.Context, st *state) (guard.Sweep, error) {
	working, cancel := edge.Until(ctx, finishingTime)
	defer cancel()
	if st.Night.Day == "" {
		if err := s.begin(ctx, st); err != nil {
			return guard.Sweep{}, err
		}
	}
	if over, err := s.over(ctx, st); over || err != nil {
		return st.sweep(), err
	}
	from := st.progress()
	for _, step := range []struct {
		phase phase
		carry func(ctx, working context.Context, st *state) error
	}{{reading, s.readOn}, {reporting, s.reportOn}, {publishing, s.publishOn}} {
		if st.Phase != step.phase {
			continue
		}
		if err := step.carry(ctx, working, st); err != nil {
			return guard.Sweep{}, err
		}
		if st.Phase != step.phase {
			continue
		}
		if st.progress() == from {
			return guard.Sweep{}, errNowhere()
		}
		return s.handOver(ctx, st)
	}
	return s.finish(ctx, st)
}

// errNowhere ends a sweep that would otherwise hand over for ever, and keep every other one from starting.
func errNowhere() error {
	return &guard.Error{
		Kind: guard.Unavailable, Message: "The sweep got nowhere in the time of an invocation.",
		Remedy: "Let the function run for longer, or see why what KEYREEVE_SWEEP_REPORTS names is so slow.",
	}
}

// over reports whether the sweep has ended since the state was left, so that its plan is gone: queues deliver twice.
func (s *Sweeper) over(ctx context.Context, st *state) (bool, error) {
	if len(st.Parts) == 0 {
		return false, nil
	}
	part, err := s.Archive.Get(ctx, st.part(st.Parts[0]))
	if guard.KindOf(err) == guard.NotFound {
		s.discardPlan(ctx, st)
		s.Logger.LogAttrs(ctx, slog.LevelInfo, "The sweep is over, its message came again.", slog.String("sweep", st.Night.ID))
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, part.Close()
}
