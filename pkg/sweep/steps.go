package sweep

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// The steps of a sweep. Each gets the invocation's context and one that ends early enough to hand over; where a step could
// not do all in that time, the state is still in its phase.

// unlessLate returns err, but for one that came because ctx ended: then the state says where to go on.
func unlessLate(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

// begin says what day it is.
func (s *Sweeper) begin(ctx context.Context, st *state) error {
	past, err := s.Past.RecallSweeps(ctx)
	if err != nil {
		return err
	}
	st.Night.Day, st.Night.DayBegan = st.Night.StartedAt.Format(time.DateOnly), st.Night.StartedAt
	if past.Day == st.Night.Day {
		st.Night.DayBegan = past.DayBegan
	}
	st.Policies = []guard.SweepTally{}
	for _, policy := range guard.SweepPolicies() {
		if mode := s.Rules.mode(policy, st.Order); mode != "" {
			st.Policies = append(st.Policies, guard.SweepTally{Policy: policy, Mode: mode})
		}
	}
	past.Day, past.DayBegan = st.Night.Day, st.Night.DayBegan
	return s.remember(ctx, st, past)
}

// remember remembers a sweep for the next one, unless this one is to change nothing.
func (s *Sweeper) remember(ctx context.Context, st *state, memory guard.SweepMemory) error {
	if s.Rules.DryRun || st.Order.DryRun {
		return nil
	}
	return s.Past.RecordSweep(ctx, memory)
}

// readOn reads the contract into another part of the plan. Where that cannot be done to the end, or the end is not what it
// should be, the sweep stops.
func (s *Sweeper) readOn(ctx, working context.Context, st *state) error {
	plan, err := newScratch()
	if err != nil {
		return err
	}
	defer plan.drop()
	from := st.Offset
	failed := s.read(working, st, plan)
	hurry, cancel := edge.Until(ctx, finishingTime+hurryTime)
	defer cancel()
	if guard.KindOf(failed) == guard.Throttled {
		failed = nil // The limit of calls is used up, and the contract is none the worse for it.
	}
	failed = unlessLate(hurry, failed)
	if failed == nil && st.Phase == reading && st.Offset == from {
		failed = &guard.Error{
			Kind: guard.Unavailable, Message: "Not one page of users could be read in the time of an invocation.",
			Remedy: "Let the function run for longer, or see why IONOS is so slow.",
		}
	}
	if failed != nil {
		s.Logger.LogAttrs(ctx, slog.LevelError, "The contract could not be read to its end.", slog.String("sweep", st.Night.ID), slog.Any("error", failed))
		st.Stopped, st.Phase = broken(failed), finished
		return nil
	}
	part := fmt.Sprintf("%04d-%s", len(st.Parts), s.Unique())
	if err := plan.keep(ctx, s.Archive, st.part(part), "application/x-ndjson"); err != nil {
		return err
	}
	if st.Parts = append(st.Parts, part); st.Phase == reading {
		return nil
	}
	return s.brake(ctx, st)
}

// brake stops the sweep if it has to.
func (s *Sweeper) brake(ctx context.Context, st *state) error {
	if st.Users == 0 {
		st.Stopped, st.Phase = broken(errNobody()), finished
		return nil
	}
	past, err := s.Past.RecallSweeps(ctx)
	if err != nil {
		return err
	}
	recent, err := s.Past.Reserve(ctx, 0, 0)
	if err != nil {
		return err
	}
	if st.Stopped = st.shrunk(past, s.Rules.MaxShare); st.Stopped == nil {
		past.Users, past.Keys = st.Users, st.Keys
		if err := s.remember(ctx, st, past); err != nil {
			return err
		}
		st.Stopped = st.tooMany(st.due(true), recent, s.Policy.MaxChanges, s.Rules.MaxShare)
	}
	if st.Stopped == nil {
		st.WouldStop = st.tooMany(st.due(false), recent, s.Policy.MaxChanges, s.Rules.MaxShare)
	}
	return nil
}

func errNobody() error {
	return &guard.Error{
		Kind: guard.Upstream, Message: "IONOS lists not one user.",
		Remedy: "Check IONOS_CONTRACT_NUMBER, and that Keyreeve's IONOS user is an administrator of the contract.",
	}
}

// reportOn writes the report. It is there before anything is done.
func (s *Sweeper) reportOn(_, working context.Context, st *state) error {
	if err := s.report(working, st); err != nil {
		return unlessLate(working, err)
	}
	if st.Phase = publishing; st.Stopped != nil {
		st.Phase = finished
	}
	st.Reported = true
	return nil
}

func (s *Sweeper) publishOn(_, working context.Context, st *state) error {
	return unlessLate(working, s.publish(working, st))
}

// handOver lets another invocation go on.
func (s *Sweeper) handOver(ctx context.Context, st *state) (guard.Sweep, error) {
	if err := s.Bus.ContinueSweep(ctx, st); err != nil {
		return guard.Sweep{}, err
	}
	result := st.sweep()
	result.Continues = true
	return result, nil
}

// finish announces what the sweep came to.
func (s *Sweeper) finish(ctx context.Context, st *state) (guard.Sweep, error) {
	result := st.sweep()
	result.FinishedAt = s.Clock().UTC()
	if st.Reported {
		result.Report = s.Link(st.file(reportPage))
	}
	if err := s.Bus.AnnounceSweep(ctx, result); err != nil {
		return guard.Sweep{}, err
	}
	s.discardPlan(ctx, st)
	s.Logger.LogAttrs(ctx, slog.LevelInfo, "The sweep is done.", slog.Any("sweep", result))
	return result, nil
}
