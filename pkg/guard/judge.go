package guard

import (
	"slices"
	"strings"
	"time"
)

// Reading is everything that was read before a judgement.
type Reading struct {
	User User
	// Keys are all keys of the user, not only those that the request names.
	Keys   []Key
	Memory Memory
	Self   Identity
	// ActorAdministers is true where the actor is the owner or an administrator of the contract, or stands for one
	// by policy. It has a meaning for persons only.
	ActorAdministers bool
	// RecentChanges counts the keys changed in the last hour, over all users.
	RecentChanges int
}

// Shows reports whether the user's key was read as the action leaves it.
func (r Reading) Shows(action Action, keyID string) bool {
	i := slices.IndexFunc(r.Keys, func(k Key) bool { return k.ID == keyID })
	if action == Delete {
		return i < 0
	}
	return i >= 0 && r.Keys[i].Active == (action == Activate)
}

// Verdict is what the guard says of one key. No Outcome means: go ahead.
type Verdict struct {
	KeyID string
	// Key is as it was read; zero where the user has no such key.
	Key     Key
	Outcome Outcome
	Rule    Rule
	Message string
	Remedy  string
	// Overridden names the rules that would have refused and were overridden.
	Overridden []Rule
}

// Allowed reports whether the action may go ahead.
func (v Verdict) Allowed() bool { return v.Outcome == "" }

// Missing reports whether the user has no such key, and the ledger remembers none.
func (v Verdict) Missing() bool { return v.Outcome == Failed }

// Judge says of each key that the request is about whether the action may go ahead. The verdicts come in the
// order of the request's keys, or, where it names none, in the order of reading.
//
// First each key is judged by itself, then those that passed are judged together: a request may switch off two of
// three active keys and be refused the third.
func Judge(req Request, reading Reading, policy Policy, now time.Time) []Verdict {
	j := judgement{req: req, read: reading, policy: policy, now: now}
	verdicts := make([]Verdict, 0, len(j.targets()))
	for _, id := range j.targets() {
		verdicts = append(verdicts, j.judge(id))
	}
	j.keepOne(verdicts)
	j.limitChanges(verdicts)
	return verdicts
}

// RefusedOutright reports whether the request is refused for what it is, whatever keys the user has. Of the reading
// only the user and the actor's standing count.
func RefusedOutright(req Request, reading Reading, policy Policy, now time.Time) bool {
	j := judgement{req: req, read: reading, policy: policy, now: now}
	return slices.ContainsFunc(j.requestRules(), func(r rule) bool { return j.apply(r, &Verdict{}) })
}

// Permitted reports whether the actor may see and change the user's keys: everybody their own, administrators of
// the contract all. Systems and schedules were let in by their front door.
func Permitted(actor Actor, user User, administers bool) bool {
	return !actor.Person() || administers || sameText(actor.Email, user.Email)
}

// Warnings returns what the asker should know even if all goes well.
func Warnings(req Request, user User) []Warning {
	if !req.Offboarding || !user.Active {
		return nil
	}
	return []Warning{{
		Code:    UserCanCreateKeys,
		Message: name(user) + " can still log in to IONOS and make a new key: deactivate the user, or take them out of the groups with object storage.",
	}}
}

// judgement is one request with all that is known about it.
type judgement struct {
	req    Request
	read   Reading
	policy Policy
	now    time.Time
}

// targets returns the ids of the keys that the request is about.
func (j judgement) targets() []string {
	if len(j.req.Keys) > 0 {
		return j.req.Keys
	}
	ids := make([]string, len(j.read.Keys))
	for i, k := range j.read.Keys {
		ids[i] = k.ID
	}
	return ids
}

// judge looks at one key by itself.
func (j judgement) judge(id string) Verdict {
	i := slices.IndexFunc(j.read.Keys, func(k Key) bool { return k.ID == id })
	verdict := Verdict{KeyID: id}
	if i >= 0 {
		verdict.Key = j.read.Keys[i]
	}
	last := j.read.Memory.Changes[id]
	gone := i < 0 || j.justDid(Delete, id)

	for _, rule := range j.requestRules() {
		if j.apply(rule, &verdict) {
			return verdict
		}
	}
	refused := j.read.Memory.Refusals[id]
	switch {
	case refused.Fingerprint != "" && refused.Fingerprint == j.req.Fingerprint():
		verdict.Outcome, verdict.Rule, verdict.Message, verdict.Remedy = Refused, refused.Rule, refused.Message, refused.Remedy
		return verdict
	case j.carriedOut(last) && !j.req.Offboarding && last.Action == j.req.Action:
		// Whatever the key is by now, somebody else made it so. But somebody who left must not keep it.
		verdict.Outcome = Unchanged
		verdict.Message = "This very event was carried out before."
		return verdict
	case j.carriedOut(last) && !j.req.Offboarding, tooLate(j.req.OccurredAt, last.OccurredAt):
		verdict.Outcome = Superseded
		verdict.Message = "A newer event, of " + when(last.OccurredAt) + ", already decided on this key (" + string(last.Action) + ")."
		return verdict
	case j.overtaken(id):
		verdict.Outcome = Superseded
		verdict.Message = "A newer event set out to " + string(j.read.Memory.Attempts[id].Action) + " this key, and did not tell the end of it."
		return verdict
	case gone && (last.Action != "" || j.read.Memory.Attempts[id].Action == Delete) && j.req.Action != Activate:
		verdict.Outcome = Unchanged
		return verdict
	case gone:
		verdict.Outcome = Failed
		verdict.Message = name(j.read.User) + " has no access key " + id + ": check the key id."
		return verdict
	case j.req.Action == Activate && j.surelyActive(verdict.Key) && MayBeOn(j.read, id), j.req.Action == Deactivate && !j.perhapsActive(verdict.Key):
		verdict.Outcome = Unchanged
		return verdict
	}
	for _, rule := range j.keyRules() {
		if j.apply(rule, &verdict) {
			return verdict
		}
	}
	return verdict
}

// rule is one reason to refuse. Its function returns a message where it refuses, and what would make it pass.
type rule struct {
	name    Rule
	refuses func(Key) (message, remedy string)
}

// apply holds the rule against the key and reports whether it refuses. A refusal that the request overrides is
// noted and passes.
func (j judgement) apply(r rule, v *Verdict) (refused bool) {
	message, remedy := r.refuses(v.Key)
	if message == "" {
		return false
	}
	return j.refuse(v, r.name, message, remedy)
}

func (j judgement) refuse(v *Verdict, rule Rule, message, remedy string) (refused bool) {
	if j.overrides(rule) {
		v.Overridden = append(v.Overridden, rule)
		return false
	}
	v.Outcome, v.Rule, v.Message, v.Remedy = Refused, rule, message, remedy
	v.Overridden = nil
	return true
}

// overrides reports whether the request names the rule as one to override, and may.
func (j judgement) overrides(rule Rule) bool {
	if !slices.Contains(j.req.Override, rule) {
		return false
	}
	switch rule {
	case LastActiveKey:
		return true
	case Offboarded:
		return j.byAdministrator() || j.reinstates()
	case GracePeriod, OnlyKeyWithBuckets, BlastRadius:
		return j.byAdministrator()
	default:
		return false
	}
}

func (j judgement) byAdministrator() bool { return j.req.Actor.Person() && j.read.ActorAdministers }

// Guarded reports whether the request must not leave a user without an active key.
func (r Request) Guarded() bool {
	return r.Action == Deactivate && !r.Offboarding && !slices.Contains(r.Override, LastActiveKey)
}

// ChangeLimit is how many keys may be changed in an hour when this request is counted in: the policy's limit, or
// zero, which means no limit, where the request overrides it.
func ChangeLimit(req Request, reading Reading, policy Policy) int {
	if (judgement{req: req, read: reading}).overrides(BlastRadius) {
		return 0
	}
	return policy.MaxChanges
}

// MustStay returns the key of those to be switched off that has to stay active so that their user keeps one, and
// whether there is such a key. Remaining are the user's keys that stay active in any case. A legacy key opens
// user-owned buckets only, so it does not stand in for a newer one.
func MustStay(switchedOff, remaining []Key) (Key, bool) {
	newest := Newest(switchedOff)
	replaces := func(k Key) bool { return newest.Legacy() || !k.Legacy() }
	if len(switchedOff) == 0 || slices.ContainsFunc(remaining, replaces) {
		return Key{}, false
	}
	return newest, true
}

// keepOne applies the rules about a user's last key to those that passed so far.
func (j judgement) keepOne(verdicts []Verdict) {
	var going []Key
	for _, v := range verdicts {
		if v.Allowed() {
			going = append(going, v.Key)
		}
	}
	staying := slices.DeleteFunc(slices.Clone(j.read.Keys), func(k Key) bool {
		return j.perhapsDid(Delete, k.ID) || slices.ContainsFunc(going, func(g Key) bool { return g.ID == k.ID })
	})
	active := slices.DeleteFunc(slices.Clone(staying), func(k Key) bool { return !j.surelyActive(k) })

	if key, must := MustStay(going, active); must && j.req.Action == Deactivate && !j.req.Offboarding {
		message, remedy := lastActiveKey(key, j.read.User)
		j.refuse(of(verdicts, key), LastActiveKey, message, remedy)
	}
	if owns := Owned(j.read); j.req.Action == Delete && len(going) > 0 && len(staying) == 0 && owns != OwnsNone {
		key := Newest(going)
		message, remedy := onlyKeyWithBuckets(key, j.read.User, owns)
		j.refuse(of(verdicts, key), OnlyKeyWithBuckets, message, remedy)
	}
}

func of(verdicts []Verdict, key Key) *Verdict {
	return &verdicts[slices.IndexFunc(verdicts, func(v Verdict) bool { return v.KeyID == key.ID })]
}

// answerSlack is how much later than the remembered answer the API may date the switch that followed it.
const answerSlack = time.Minute

// Owned is the remembered answer to the question who owns buckets, as long as no key of the user can have
// been active since: whoever had one may have made a bucket.
func Owned(reading Reading) Ownership {
	answer := reading.Memory.Buckets
	for _, k := range reading.Keys {
		if k.Created.After(answer.At) || k.Modified.After(answer.At.Add(answerSlack)) || reading.Memory.Changes[k.ID].At.After(answer.At) {
			return OwnsUnknown
		}
	}
	return answer.Ownership
}

// limitChanges applies blast_radius to all keys that passed, or to none: which of them to let through would be
// arbitrary.
func (j judgement) limitChanges(verdicts []Verdict) {
	planned := 0
	for _, v := range verdicts {
		if v.Allowed() {
			planned++
		}
	}
	if j.read.RecentChanges+planned <= j.policy.MaxChanges {
		return
	}
	message, remedy := tooManyChanges(j.read.RecentChanges, planned, j.policy.MaxChanges)
	for i := range verdicts {
		if verdicts[i].Allowed() {
			j.refuse(&verdicts[i], BlastRadius, message, remedy)
		}
	}
}

func name(u User) string {
	if u.Email != "" {
		return u.Email
	}
	return u.ID
}

func sameText(a, b string) bool { return a != "" && strings.EqualFold(a, b) }
