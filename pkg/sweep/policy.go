package sweep

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/report"
)

const day = 24 * time.Hour

// unseenFor is how long a change that Keyreeve made, or set out to make, may not show in a reading that was begun before.
const unseenFor = time.Hour

// line is one key in the plan: what the report shows of it, and what it takes to do what is due.
type line struct {
	report.Row

	// Last and OnlyActive are those of [guard.AgingKey], where the owner is to be warned.
	Last       bool `json:"last,omitempty"`
	OnlyActive bool `json:"onlyActive,omitempty"`
	// Seen is a switch that was made elsewhere, which the ledger is to remember as of this sweep.
	Seen *guard.Change `json:"seen,omitempty"`
}

// judge says what is due about the keys of one user.
type judge struct {
	rules  Rules
	policy guard.Policy
	// order names the one policy to go by, or none.
	order order
	// begun has the policies by which the sweep began.
	begun []guard.SweepTally
	night night
	now   time.Time
}

// lines has one for each key, in the order of their creation.
func (j judge) lines(reading guard.Reading, warned guard.KeyWarnings) []line {
	slices.SortStableFunc(reading.Keys, func(a, b guard.Key) int { return a.Created.Compare(b.Created) })
	lines := make([]line, len(reading.Keys))
	changes := maps.Clone(reading.Memory.Changes)
	for i, k := range reading.Keys {
		if lines[i].Seen = j.sighting(reading.Memory, k); lines[i].Seen != nil {
			if changes == nil {
				changes = make(map[string]guard.Change)
			}
			changes[k.ID] = *lines[i].Seen
		}
	}
	reading.Memory.Changes = changes // as the ledger has it when the requests are judged again
	for i, k := range reading.Keys {
		lines[i].Row = describe(reading, k)
		j.decide(&lines[i], reading, k, warned[k.ID])
	}
	for _, policy := range guard.SweepPolicies() {
		j.ask(lines, reading, policy)
	}
	return lines
}

func describe(reading guard.Reading, k guard.Key) report.Row {
	return report.Row{
		User: reading.User.Email, UserID: reading.User.ID, UserInactive: !reading.User.Active,
		Key: k.ID, Active: k.Active, Legacy: k.Legacy(), Created: k.Created,
		InactiveSince: guard.InactiveSince(k, reading.Memory.Changes[k.ID]),
	}
}

// sighting is what the ledger is to remember of a key that was switched where Keyreeve does not see it: then the clock of
// an inactive key starts, or ends that of an earlier deactivation. The ledger keeps it only where it heard of nothing newer
// since it was read: the sighting is as old as what it takes the place of.
func (j judge) sighting(memory guard.Memory, k guard.Key) *guard.Change {
	last := memory.Changes[k.ID]
	seen := last
	switch {
	case j.now.Sub(last.At) < unseenFor || j.now.Sub(memory.Attempts[k.ID].At) < unseenFor:
		return nil
	case !k.Active && guard.InactiveSince(k, last).IsZero():
		seen.Action, seen.Reason = guard.Deactivate, "found inactive"
	case k.Active && last.Action == guard.Deactivate:
		seen.Action, seen.Reason = guard.Activate, "found active"
	default:
		return nil
	}
	seen.At, seen.Actor, seen.Source, seen.RequestID = j.now, actor(), source, j.night.ID
	seen.ApprovedBy, seen.Overridden, seen.Seen = guard.Actor{}, nil, true
	return &seen
}

// decide puts down by which policy something is due about the key. A policy that is enforced goes before one that is not.
func (j judge) decide(l *line, reading guard.Reading, k guard.Key, warned []time.Time) {
	for _, mode := range []guard.SweepMode{guard.Enforce, guard.Report} {
		switch {
		case k.Active && !reading.User.Active && j.mode(guard.InactiveUser) == mode:
			l.Policy, l.Mode, l.Step = guard.InactiveUser, mode, guard.StepDeactivate
		case k.Active && j.mode(guard.MaxAge) == mode:
			l.Step, l.Due, l.Last = j.aging(k, warned, reading)
			if l.Step != "" {
				l.Policy, l.Mode = guard.MaxAge, mode
			}
		case !l.InactiveSince.IsZero() && !j.now.Before(l.InactiveSince.Add(j.policy.DeleteGrace)) && j.mode(guard.DeleteAfterGrace) == mode:
			l.Policy, l.Mode, l.Step = guard.DeleteAfterGrace, mode, guard.StepDelete
		}
		if l.Step != "" {
			return
		}
	}
}

// mode is that of the policy, empty where the sweep does not go by it. Settings may change while a sweep is under way: what
// is switched off is off, but what is armed waits for the next sweep, since the brakes of this one do not count it.
func (j judge) mode(policy guard.SweepPolicy) guard.SweepMode {
	i := slices.IndexFunc(j.begun, func(t guard.SweepTally) bool { return t.Policy == policy })
	if i < 0 {
		return ""
	}
	if mode := j.rules.mode(policy, j.order); mode != guard.Enforce {
		return mode
	}
	return j.begun[i].Mode
}

// ask has the guard judge what is due by the policy. What it would refuse stays in the plan, with the reason; what it would
// leave as it is does not.
func (j judge) ask(lines []line, reading guard.Reading, policy guard.SweepPolicy) {
	var now []*line
	for i := range lines {
		l := &lines[i]
		switch {
		case l.Policy != policy:
		case l.Step == guard.StepWarn || l.Step == guard.StepWait:
			// The key alone, as if its time had come.
			j.apply([]*line{l}, reading, policy)
		default:
			now = append(now, l)
		}
	}
	if len(now) > 0 {
		j.apply(now, reading, policy)
	}
}

func (j judge) apply(lines []*line, reading guard.Reading, policy guard.SweepPolicy) {
	keys := make([]string, len(lines))
	for i, l := range lines {
		keys[i] = l.Key
	}
	// How much may change in an hour is asked about the whole sweep, see brake.go.
	unlimited := j.policy
	unlimited.MaxChanges = math.MaxInt
	verdicts := guard.Judge(j.request(reading.User, policy, keys), reading, unlimited, j.now)
	for i, l := range lines {
		verdict := verdicts[i]
		comes := l.Step == guard.StepWarn || l.Step == guard.StepWait
		switch {
		case verdict.Allowed():
		case verdict.Rule == guard.LastActiveKey && comes:
			l.OnlyActive, l.Message = true, verdict.Message
		case verdict.Outcome == guard.Refused:
			l.Rule, l.Message, l.Remedy = verdict.Rule, verdict.Message, verdict.Remedy
		default:
			l.Policy, l.Mode, l.Step, l.Due, l.Last, l.Message = "", "", "", time.Time{}, false, verdict.Message
		}
	}
}

const source = "sweep"

func actor() guard.Actor { return guard.Actor{Kind: guard.Schedule, Name: "sweep"} }

// request is what a sweep asks for about keys of the user. Its id and its time are the same all day long, so that what was
// done about a key, and undone by somebody, is not done again by a second sweep.
func (j judge) request(user guard.User, policy guard.SweepPolicy, keys []string) guard.Request {
	req := guard.Request{
		Action: guard.Deactivate, User: user.ID, Keys: keys, Actor: actor(), Source: source,
		ID: fmt.Sprintf("sweep-%s-%s-%s", j.night.Day, policy, user.ID), OccurredAt: j.night.DayBegan,
	}
	switch policy {
	case guard.MaxAge:
		req.Reason = "older than " + days(j.rules.MaxKeyAge) + ", and the owner was warned twice"
	case guard.InactiveUser:
		// Whoever cannot log in to IONOS needs no key there. Nobody says that they left: it is no offboarding.
		req.Reason, req.Override = "the user is inactive in IONOS", []guard.Rule{guard.LastActiveKey}
	default:
		req.Action, req.Reason = guard.Delete, "inactive for longer than "+days(j.policy.DeleteGrace)
	}
	return req
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(day) }

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func days(d time.Duration) string {
	if d < 2*day || d%day != 0 {
		return d.String()
	}
	return fmt.Sprintf("%d days", d/day)
}
