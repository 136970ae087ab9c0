package sweep

import (
	"context"
	"io"
	"iter"

	"golang.org/x/sync/errgroup"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/report"
)

// report puts the report into the archive.
func (s *Sweeper) report(ctx context.Context, st *state) error {
	if err := s.write(ctx, st, "report.json", "application/json", report.WriteJSON); err != nil {
		return err
	}
	return s.write(ctx, st, reportPage, "text/html; charset=utf-8", report.WriteHTML)
}

// reportPage is the file of a report that is for people.
const reportPage = "report.html"

func (s *Sweeper) write(ctx context.Context, st *state, name, contentType string, form func(io.Writer, guard.Sweep, iter.Seq2[report.Row, error]) error) error {
	file, err := newScratch()
	if err != nil {
		return err
	}
	defer file.drop()
	if err := form(file, st.sweep(), rows(s.plan(ctx, st))); err != nil {
		return err
	}
	return file.keep(ctx, s.Archive, st.file(name), contentType)
}

// publish has done what the plan says, from where the state is.
func (s *Sweeper) publish(ctx context.Context, st *state) error {
	j := judge{rules: s.Rules, policy: s.Policy, order: st.Order, begun: st.Policies, night: st.Night}
	todo, users, done := errands{}, 0, st.Published
	for lines, err := range byUser(s.plan(ctx, st)) {
		if err != nil {
			return err
		}
		if users++; users <= done {
			continue
		}
		todo.add(j, lines)
		if todo.few() {
			continue
		}
		if err := s.run(ctx, todo); err != nil {
			return err
		}
		st.Published, todo = users, errands{}
	}
	if err := s.run(ctx, todo); err != nil {
		return err
	}
	st.Phase = finished
	return nil
}

// errands are what is to be done about the keys of some users.
type errands struct {
	requests  []guard.Request
	warnings  []guard.OwnerWarning
	sightings map[string]guard.Memory // by user id
}

// few reports whether there is room for those of another user: EventBridge takes ten events a call.
func (e *errands) few() bool { return max(len(e.requests), len(e.warnings), len(e.sightings)) < 10 }

// add adds what is to be done about the keys of one user.
func (e *errands) add(j judge, lines []line) {
	user := guard.User{ID: lines[0].UserID, Email: lines[0].User}
	keys := make(map[guard.SweepPolicy][]string)
	warning := guard.OwnerWarning{SweepID: j.night.ID, User: user}
	seen := make(map[string]guard.Change)
	for _, l := range lines {
		if l.Seen != nil {
			seen[l.Key] = *l.Seen
		}
		switch {
		// The settings count, whatever the plan says: it lay in the archive meanwhile.
		case l.Rule != "", l.Mode != guard.Enforce, j.mode(l.Policy) != guard.Enforce:
		case l.Step == guard.StepWarn:
			warning.Keys = append(warning.Keys, guard.AgingKey{
				ID: l.Key, Created: l.Created, DeactivateAfter: l.Due, Last: l.Last, OnlyActive: l.OnlyActive,
			})
		case l.Step == guard.StepDeactivate || l.Step == guard.StepDelete:
			keys[l.Policy] = append(keys[l.Policy], l.Key)
		}
	}
	for _, policy := range guard.SweepPolicies() {
		if len(keys[policy]) > 0 {
			e.requests = append(e.requests, j.request(user, policy, keys[policy]))
		}
	}
	if len(warning.Keys) > 0 {
		e.warnings = append(e.warnings, warning)
	}
	if len(seen) > 0 && !j.rules.DryRun && !j.order.DryRun {
		if e.sightings == nil {
			e.sightings = make(map[string]guard.Memory)
		}
		e.sightings[user.ID] = guard.Memory{Changes: seen}
	}
}

// run runs the errands. What was done already when an error came is done again by another try, which changes nothing: the
// requests have the same ids, and the same warning is given once.
func (s *Sweeper) run(ctx context.Context, e errands) error {
	group, working := errgroup.WithContext(ctx)
	for user, memory := range e.sightings {
		group.Go(func() error { return s.Ledger.Record(working, user, memory) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(e.warnings) > 0 {
		if err := s.Bus.PublishWarnings(ctx, e.warnings...); err != nil {
			return err
		}
	}
	if len(e.requests) > 0 {
		return s.Bus.Publish(ctx, e.requests...)
	}
	return nil
}
