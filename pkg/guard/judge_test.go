package guard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
)

// now is the moment of every judgement in these tests.
func now() time.Time { return time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC) }

func ago(d time.Duration) time.Time { return now().Add(-d) }

const day = 24 * time.Hour

// The people and keys of the tests: alice has a legacy key, an older and a newer one, and an inactive one.
const (
	legacy   = "00000000000000000001"
	older    = "00000000000000000002"
	newer    = "00000000000000000003"
	inactive = "00000000000000000004"
)

func alice() guard.User {
	return guard.User{ID: "1c6ba1ba-4f9a-4f0a-9d3a-0d7b3b1c6c01", Email: "alice@example.com", Active: true}
}

func key(id string, active bool) guard.Key {
	created := map[string]time.Time{
		legacy: time.Date(2022, time.October, 27, 12, 0, 0, 0, time.UTC),
		older:  ago(400 * day), newer: ago(100 * day), inactive: ago(300 * day),
	}
	return guard.Key{ID: id, Active: active, Created: created[id]}
}

func system() guard.Actor { return guard.Actor{Kind: guard.System, Name: "hr"} }

func operator() guard.Actor { return guard.Actor{Kind: guard.Operator, Email: "operator@example.com"} }

func policy() guard.Policy {
	return guard.Policy{DeleteGrace: 30 * day, EventMaxAge: day, MaxChanges: 50}
}

// scene is one judgement: everything that is not said is as harmless as can be.
type scene struct {
	req     guard.Request
	reading guard.Reading
	policy  guard.Policy
}

func deactivate(keys ...string) *scene { return newScene(guard.Deactivate, keys) }
func activate(keys ...string) *scene   { return newScene(guard.Activate, keys) }

// remove is a deletion by an administrator who confirms it, of keys whose grace period is over.
func remove(keys ...string) *scene {
	s := newScene(guard.Delete, keys).by(operator()).admin()
	s.req.Confirm = keys
	for _, id := range keys {
		s.changed(id, guard.Change{Action: guard.Deactivate, At: ago(31 * day), OccurredAt: ago(31 * day)})
	}
	return s
}

func newScene(action guard.Action, keys []string) *scene {
	return &scene{
		req: guard.Request{Action: action, User: "alice@example.com", Keys: keys, Actor: system(), ID: "e1", OccurredAt: ago(time.Minute)},
		reading: guard.Reading{
			User: alice(), Self: guard.Identity{ID: "9b2f7c36-58a6-4f5e-8f0a-7d1d3c1b0c99"},
			Memory: guard.Memory{Changes: map[string]guard.Change{}},
		},
		policy: policy(),
	}
}

func (s *scene) has(keys ...guard.Key) *scene             { s.reading.Keys = keys; return s }
func (s *scene) by(a guard.Actor) *scene                  { s.req.Actor = a; return s }
func (s *scene) admin() *scene                            { s.reading.ActorAdministers = true; return s }
func (s *scene) override(rules ...guard.Rule) *scene      { s.req.Override = rules; return s }
func (s *scene) changed(id string, c guard.Change) *scene { s.reading.Memory.Changes[id] = c; return s }
func (s *scene) with(change func(*scene)) *scene          { change(s); return s }

// tried is an attempt of so long ago that nobody knows the end of.
func (s *scene) tried(action guard.Action, id string, age time.Duration) *scene {
	s.reading.Memory.Attempts = map[string]guard.Attempt{id: {Action: action, At: ago(age), RequestID: "e0", Guarded: action == guard.Deactivate}}
	return s
}

// said is the judgement in short: "changed" stands for a key that may go ahead.
func (s *scene) said(t *testing.T) map[string]string {
	t.Helper()
	said := make(map[string]string)
	for _, v := range guard.Judge(s.req, s.reading, s.policy, now()) {
		switch {
		case v.Allowed() && len(v.Overridden) > 0:
			said[v.KeyID] = "over " + string(v.Overridden[0])
		case v.Allowed():
			said[v.KeyID] = "go"
		case v.Outcome == guard.Refused:
			said[v.KeyID] = string(v.Rule)
			for _, text := range []string{v.Message, v.Remedy} {
				if !strings.HasSuffix(text, ".") || len(text) < 20 {
					t.Errorf("%s: %q is no sentence an operator can act on", v.Rule, text)
				}
			}
			if len(v.Overridden) > 0 {
				t.Errorf("%s: a refused key says that %v was overridden", v.KeyID, v.Overridden)
			}
		default:
			said[v.KeyID] = string(v.Outcome)
		}
	}
	return said
}

type judgements map[string]struct {
	scene *scene
	want  map[string]string
}

func (table judgements) run(t *testing.T) {
	t.Helper()
	for name, test := range table {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.scene.said(t)); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOutcomesWithoutARule(t *testing.T) {
	judgements{
		"a key is deactivated":                  {deactivate(older).has(key(older, true), key(newer, true)), map[string]string{older: "go"}},
		"a key is activated":                    {activate(inactive).has(key(inactive, false)), map[string]string{inactive: "go"}},
		"an inactive key is deleted":            {remove(inactive).has(key(inactive, false), key(newer, true)), map[string]string{inactive: "go"}},
		"no keys means all keys":                {newScene(guard.Activate, nil).has(key(inactive, false), key(newer, true)), map[string]string{inactive: "go", newer: "unchanged"}},
		"inactive already":                      {deactivate(inactive).has(key(inactive, false)), map[string]string{inactive: "unchanged"}},
		"active already":                        {activate(newer).has(key(newer, true)), map[string]string{newer: "unchanged"}},
		"unknown key":                           {deactivate(older).has(key(newer, true)), map[string]string{older: "failed"}},
		"deleted before, deleted again":         {remove(older).changed(older, guard.Change{Action: guard.Delete, OccurredAt: ago(day)}), map[string]string{older: "unchanged"}},
		"deleted before, deactivated":           {deactivate(older).changed(older, guard.Change{Action: guard.Delete, OccurredAt: ago(day)}), map[string]string{older: "unchanged"}},
		"deleted before, activated":             {activate(older).changed(older, guard.Change{Action: guard.Delete, OccurredAt: ago(day)}), map[string]string{older: "failed"}},
		"older than the last change":            {activate(inactive).has(key(inactive, false)).changed(inactive, guard.Change{Action: guard.Deactivate, OccurredAt: ago(time.Second)}), map[string]string{inactive: "superseded"}},
		"a precise time in the same second":     {activate(inactive).has(key(inactive, false)).with(func(s *scene) { s.req.OccurredAt = ago(time.Minute - time.Millisecond) }).changed(inactive, guard.Change{Action: guard.Deactivate, OccurredAt: ago(time.Minute - 2*time.Millisecond)}), map[string]string{inactive: "superseded"}},
		"gone since it was deactivated":         {remove(older).changed(older, guard.Change{Action: guard.Deactivate, OccurredAt: ago(day)}), map[string]string{older: "unchanged"}},
		"in the same second as the last change": {activate(inactive).has(key(inactive, false)).changed(inactive, guard.Change{Action: guard.Deactivate, OccurredAt: ago(time.Minute - 999*time.Millisecond)}), map[string]string{inactive: "go"}},
		"as old as the last change":             {deactivate(inactive).has(key(inactive, false)).changed(inactive, guard.Change{Action: guard.Deactivate, OccurredAt: ago(time.Minute)}), map[string]string{inactive: "unchanged"}},
		"exemption of the others' state":        {deactivate(inactive).has(key(inactive, false)).with(exempting("alice@*")), map[string]string{inactive: "unchanged"}},
	}.run(t)
}

func TestNotPermitted(t *testing.T) {
	stranger := guard.Actor{Kind: guard.ChatOps, Name: "mallory", Email: "mallory@example.com"}
	nameless := guard.Actor{Kind: guard.Operator, Name: "arn:aws:sts::1:assumed-role/ci/build"}
	keys := []guard.Key{key(older, true), key(newer, true)}
	judgements{
		"another user's keys":          {deactivate(older).has(keys...).by(stranger), map[string]string{older: "not_permitted"}},
		"an operator without e-mail":   {deactivate(older).has(keys...).by(nameless), map[string]string{older: "not_permitted"}},
		"even where nothing would be":  {activate(older).has(keys...).by(stranger), map[string]string{older: "not_permitted"}},
		"even of an unknown key":       {activate(legacy).has(keys...).by(stranger), map[string]string{legacy: "not_permitted"}},
		"no override":                  {deactivate(older).has(keys...).by(stranger).override(guard.NotPermitted, guard.LastActiveKey), map[string]string{older: "not_permitted"}},
		"an administrator":             {deactivate(older).has(keys...).by(stranger).admin(), map[string]string{older: "go"}},
		"one's own keys":               {deactivate(older).has(keys...).by(guard.Actor{Kind: guard.Operator, Email: "Alice@Example.com"}), map[string]string{older: "go"}},
		"a system was let in already":  {deactivate(older).has(keys...), map[string]string{older: "go"}},
		"a schedule was let in before": {deactivate(older).has(keys...).by(guard.Actor{Kind: guard.Schedule}), map[string]string{older: "go"}},
	}.run(t)
}

func TestUntrustedTrigger(t *testing.T) {
	from := func(source string) func(*scene) { return func(s *scene) { s.req.Source = source } }
	keys := []guard.Key{key(inactive, false), key(older, true), key(newer, true)}
	table := judgements{
		"standard webhooks sign the time": {activate(inactive).has(keys...).with(from("standard")), map[string]string{inactive: "go"}},
		"no override":                     {activate(inactive).has(keys...).with(from("okta")).by(operator()).admin().override(guard.UntrustedTrigger), map[string]string{inactive: "untrusted_trigger"}},
	}
	for _, source := range []string{"okta", "github", "hibob", "scim"} {
		table[source+" activates"] = struct {
			scene *scene
			want  map[string]string
		}{activate(inactive).has(keys...).with(from(source)), map[string]string{inactive: "untrusted_trigger"}}
		table[source+" deletes"] = struct {
			scene *scene
			want  map[string]string
		}{remove(inactive).has(keys...).with(from(source)), map[string]string{inactive: "untrusted_trigger"}}
		table[source+" deactivates"] = struct {
			scene *scene
			want  map[string]string
		}{deactivate(older).has(keys...).with(from(source)), map[string]string{older: "go"}}
	}
	table.run(t)
}

// An identity provider brings people back only where the operator lets it: activating alone, and over SCIM alone.
func TestSCIMActivates(t *testing.T) {
	left := func(s *scene) { s.reading.Memory.OffboardedAt = ago(9 * day) }
	from := func(source string, allowed bool) func(*scene) {
		return func(s *scene) { s.req.Source, s.policy.SCIMActivates = source, allowed }
	}
	keys := []guard.Key{key(inactive, false), key(newer, true)}
	back := func() *scene { return activate(inactive).has(keys...).with(left) }
	judgements{
		"by configuration":           {back().with(from("scim", true)).override(guard.Offboarded), map[string]string{inactive: "over offboarded"}},
		"without the override":       {back().with(from("scim", true)), map[string]string{inactive: "offboarded"}},
		"not by itself":              {back().with(from("scim", false)).override(guard.Offboarded), map[string]string{inactive: "untrusted_trigger"}},
		"another sender":             {back().with(from("okta", true)).override(guard.Offboarded), map[string]string{inactive: "untrusted_trigger"}},
		"one that signs the time":    {back().with(from("standard", true)).override(guard.Offboarded), map[string]string{inactive: "offboarded"}},
		"deletes":                    {remove(inactive).has(keys...).with(from("scim", true)), map[string]string{inactive: "untrusted_trigger"}},
		"overrides the blast radius": {back().with(from("scim", true)).override(guard.Offboarded, guard.BlastRadius).with(func(s *scene) { s.reading.RecentChanges = 50 }), map[string]string{inactive: "blast_radius"}},
	}.run(t)
}

func TestStale(t *testing.T) {
	aged := func(d time.Duration) func(*scene) { return func(s *scene) { s.req.OccurredAt = ago(d) } }
	keys := []guard.Key{key(older, true), key(newer, true)}
	judgements{
		"just in time": {deactivate(older).has(keys...).with(aged(day)), map[string]string{older: "go"}},
		"too old":      {deactivate(older).has(keys...).with(aged(day + time.Second)), map[string]string{older: "stale"}},
		"no override":  {deactivate(older).has(keys...).with(aged(2 * day)).by(operator()).admin().override(guard.Stale), map[string]string{older: "stale"}},
	}.run(t)
}

func exempting(items ...string) func(*scene) {
	return func(s *scene) {
		for _, item := range items {
			e, err := guard.ParseExemption(item)
			if err != nil {
				panic(err)
			}
			s.policy.Exemptions = append(s.policy.Exemptions, e)
		}
	}
}

func TestExempt(t *testing.T) {
	keys := []guard.Key{key(older, true), key(newer, true)}
	judgements{
		"by UUID":             {deactivate(older).has(keys...).with(exempting(alice().ID)), map[string]string{older: "exempt"}},
		"by key id":           {deactivate(older, newer).has(keys...).with(exempting(older)), map[string]string{older: "exempt", newer: "go"}},
		"by e-mail pattern":   {deactivate(older).has(keys...).with(exempting("ALICE@*")), map[string]string{older: "exempt"}},
		"somebody else":       {deactivate(older).has(keys...).with(exempting("bob@*")), map[string]string{older: "go"}},
		"on its last day":     {deactivate(older).has(keys...).with(exempting("alice@example.com@2026-11-22")), map[string]string{older: "exempt"}},
		"the day after":       {deactivate(older).has(keys...).with(exempting("alice@example.com@2026-11-21")), map[string]string{older: "go"}},
		"activation, too":     {activate(inactive).has(key(inactive, false)).with(exempting("alice@*")), map[string]string{inactive: "exempt"}},
		"deletion, too":       {remove(inactive).has(key(inactive, false), key(newer, true)).with(exempting("alice@*")), map[string]string{inactive: "exempt"}},
		"offboarding, too":    {deactivate(older).has(keys...).with(exempting("alice@*")).with(leaving), map[string]string{older: "exempt"}},
		"no override":         {deactivate(older).has(keys...).with(exempting("alice@*")).by(operator()).admin().override(guard.Exempt), map[string]string{older: "exempt"}},
		"an exempt key stays": {deactivate().has(keys...).with(exempting(newer)), map[string]string{older: "go", newer: "exempt"}},
	}.run(t)
}

func leaving(s *scene) { s.req.Offboarding = true }

func TestOwnIdentity(t *testing.T) {
	self := func(id guard.Identity) func(*scene) { return func(s *scene) { s.reading.Self = id } }
	byID, byEmail := self(guard.Identity{ID: strings.ToUpper(alice().ID)}), self(guard.Identity{Email: "Alice@example.com"})
	keys := []guard.Key{key(inactive, false), key(older, true), key(newer, true)}
	judgements{
		"deactivation by UUID":   {deactivate(older).has(keys...).with(byID), map[string]string{older: "own_identity"}},
		"deactivation by e-mail": {deactivate(older).has(keys...).with(byEmail), map[string]string{older: "own_identity"}},
		"deletion":               {remove(inactive).has(keys...).with(byID), map[string]string{inactive: "own_identity"}},
		"activation":             {activate(inactive).has(keys...).with(byID), map[string]string{inactive: "go"}},
		"offboarding":            {deactivate(older).has(keys...).with(byID).with(leaving), map[string]string{older: "own_identity"}},
		"no override":            {deactivate(older).has(keys...).with(byID).by(operator()).admin().override(guard.OwnIdentity), map[string]string{older: "own_identity"}},
	}.run(t)
}

func TestLastActiveKey(t *testing.T) {
	stranger := guard.Actor{Kind: guard.Operator, Email: "alice@example.com"}
	judgements{
		"the last one":                        {deactivate(newer).has(key(newer, true), key(inactive, false)), map[string]string{newer: "last_active_key"}},
		"one of two":                          {deactivate(newer).has(key(newer, true), key(older, true)), map[string]string{newer: "go"}},
		"both: the newest stays":              {deactivate(newer, older).has(key(newer, true), key(older, true)), map[string]string{newer: "last_active_key", older: "go"}},
		"all by name of none":                 {newScene(guard.Deactivate, nil).has(key(older, true), key(newer, true), key(inactive, false)), map[string]string{newer: "last_active_key", older: "go", inactive: "unchanged"}},
		"a legacy key is no replacement":      {deactivate(newer).has(key(newer, true), key(legacy, true)), map[string]string{newer: "last_active_key"}},
		"a newer one replaces a legacy key":   {deactivate(legacy).has(key(newer, true), key(legacy, true)), map[string]string{legacy: "go"}},
		"the last of legacy keys":             {deactivate(legacy).has(key(legacy, true)), map[string]string{legacy: "last_active_key"}},
		"offboarding":                         {deactivate(newer).has(key(newer, true)).with(leaving), map[string]string{newer: "go"}},
		"override by a system":                {deactivate(newer).has(key(newer, true)).override(guard.LastActiveKey), map[string]string{newer: "over last_active_key"}},
		"override by the user":                {deactivate(newer).has(key(newer, true)).by(stranger).override(guard.LastActiveKey), map[string]string{newer: "over last_active_key"}},
		"override notes the one it counts on": {deactivate(newer, older).has(key(newer, true), key(older, true)).override(guard.LastActiveKey), map[string]string{newer: "over last_active_key", older: "go"}},
		"an override that is not needed":      {deactivate(older).has(key(newer, true), key(older, true)).override(guard.LastActiveKey), map[string]string{older: "go"}},
		"another override":                    {deactivate(newer).has(key(newer, true)).by(operator()).admin().override(guard.GracePeriod, guard.BlastRadius), map[string]string{newer: "last_active_key"}},
	}.run(t)
}

func TestStillActive(t *testing.T) {
	judgements{
		"an active key":  {remove(newer).has(key(newer, true), key(older, true)), map[string]string{newer: "still_active"}},
		"no override":    {remove(newer).has(key(newer, true), key(older, true)).override(guard.StillActive, guard.GracePeriod), map[string]string{newer: "still_active"}},
		"the others may": {remove(newer, inactive).has(key(newer, true), key(inactive, false)), map[string]string{newer: "still_active", inactive: "go"}},
	}.run(t)
}

func TestGracePeriod(t *testing.T) {
	off := func(at time.Time) guard.Change {
		return guard.Change{Action: guard.Deactivate, At: at, OccurredAt: at}
	}
	modified := func(at time.Time) func(*scene) { return func(s *scene) { s.reading.Keys[0].Modified = at } }
	fresh := func() *scene { return remove(inactive).has(key(inactive, false), key(newer, true)) }
	judgements{
		"over":                               {fresh().changed(inactive, off(ago(30*day))), map[string]string{inactive: "go"}},
		"a second short":                     {fresh().changed(inactive, off(ago(30*day-time.Second))), map[string]string{inactive: "grace_period"}},
		"nobody knows since when":            {fresh().changed(inactive, guard.Change{}), map[string]string{inactive: "grace_period"}},
		"switched on by us, off elsewhere":   {fresh().changed(inactive, guard.Change{Action: guard.Activate, At: ago(90 * day)}), map[string]string{inactive: "grace_period"}},
		"the API knows since when":           {fresh().changed(inactive, guard.Change{}).with(modified(ago(31 * day))), map[string]string{inactive: "go"}},
		"the API dates no switches":          {fresh().changed(inactive, guard.Change{}).with(modified(key(inactive, false).Created)), map[string]string{inactive: "grace_period"}},
		"switched on and off again later":    {fresh().changed(inactive, off(ago(90*day))).with(modified(ago(day))), map[string]string{inactive: "grace_period"}},
		"the clock is no creation date":      {fresh().changed(inactive, off(ago(time.Hour))), map[string]string{inactive: "grace_period"}},
		"override by an administrator":       {fresh().changed(inactive, off(ago(day))).override(guard.GracePeriod), map[string]string{inactive: "over grace_period"}},
		"no override by a system":            {fresh().changed(inactive, off(ago(day))).by(system()).override(guard.GracePeriod), map[string]string{inactive: "grace_period"}},
		"no override by the user themselves": {fresh().changed(inactive, off(ago(day))).by(guard.Actor{Kind: guard.Operator, Email: "alice@example.com"}).override(guard.GracePeriod).with(func(s *scene) { s.reading.ActorAdministers = false }), map[string]string{inactive: "grace_period"}},
	}.run(t)
}

func TestOnlyKeyWithBuckets(t *testing.T) {
	owns := func(o guard.Ownership) func(*scene) {
		return func(s *scene) { s.reading.Memory.Buckets = guard.BucketAnswer{Ownership: o, At: ago(30 * day)} }
	}
	only := func() *scene { return remove(inactive).has(key(inactive, false)) }
	second := key(older, false)
	judgements{
		"with buckets":                    {only().with(owns(guard.OwnsSome)), map[string]string{inactive: "only_key_with_buckets"}},
		"without buckets":                 {only().with(owns(guard.OwnsNone)), map[string]string{inactive: "go"}},
		"the answer was: unknown":         {only().with(owns(guard.OwnsUnknown)), map[string]string{inactive: "only_key_with_buckets"}},
		"nobody ever asked":               {only(), map[string]string{inactive: "only_key_with_buckets"}},
		"another key is left":             {only().has(key(inactive, false), second).with(owns(guard.OwnsSome)), map[string]string{inactive: "go"}},
		"both of two: the newest stays":   {remove(inactive, older).has(key(inactive, false), second).with(owns(guard.OwnsSome)), map[string]string{inactive: "only_key_with_buckets", older: "go"}},
		"switched since the answer":       {only().with(owns(guard.OwnsNone)).changed(inactive, guard.Change{Action: guard.Deactivate, At: ago(30*day - time.Hour)}).override(guard.GracePeriod), map[string]string{inactive: "only_key_with_buckets"}},
		"touched elsewhere since":         {only().with(owns(guard.OwnsNone)).with(func(s *scene) { s.reading.Keys[0].Modified = ago(29 * day) }).override(guard.GracePeriod), map[string]string{inactive: "only_key_with_buckets"}},
		"dated a moment after the answer": {only().with(owns(guard.OwnsNone)).with(func(s *scene) { s.reading.Keys[0].Modified = ago(30*day - 30*time.Second) }).override(guard.GracePeriod), map[string]string{inactive: "over grace_period"}},
		"made since":                      {only().with(owns(guard.OwnsNone)).with(func(s *scene) { s.reading.Keys[0].Created = ago(29 * day) }).override(guard.GracePeriod), map[string]string{inactive: "only_key_with_buckets"}},
		"override by an administrator":    {only().with(owns(guard.OwnsSome)).override(guard.OnlyKeyWithBuckets), map[string]string{inactive: "over only_key_with_buckets"}},
		"no override by a system":         {only().with(owns(guard.OwnsSome)).by(system()).override(guard.OnlyKeyWithBuckets), map[string]string{inactive: "only_key_with_buckets"}},
		"another rule's override":         {only().with(owns(guard.OwnsSome)).override(guard.GracePeriod, guard.LastActiveKey), map[string]string{inactive: "only_key_with_buckets"}},
		"deactivation has another guard":  {deactivate(newer).has(key(newer, true)).with(owns(guard.OwnsSome)).with(leaving), map[string]string{newer: "go"}},
	}.run(t)
}

func TestConfirmation(t *testing.T) {
	confirm := func(keys ...string) func(*scene) { return func(s *scene) { s.req.Confirm = keys } }
	fresh := func() *scene {
		return remove(inactive, older).has(key(inactive, false), key(older, false), key(newer, true))
	}
	both := func(said string) map[string]string { return map[string]string{inactive: said, older: said} }
	judgements{
		"exactly, in any order":   {fresh().with(confirm(older, inactive)), both("go")},
		"none":                    {fresh().with(confirm()), both("confirmation")},
		"too few":                 {fresh().with(confirm(older)), both("confirmation")},
		"too many":                {fresh().with(confirm(older, inactive, newer)), both("confirmation")},
		"chat, too":               {fresh().with(confirm()).by(guard.Actor{Kind: guard.ChatOps, Email: "o@example.com"}), both("confirmation")},
		"no override":             {fresh().with(confirm()).override(guard.Confirmation, guard.GracePeriod), both("confirmation")},
		"a system need not":       {fresh().with(confirm()).by(system()), both("go")},
		"only deletion needs one": {deactivate(older).has(key(older, true), key(newer, true)).by(operator()).admin(), map[string]string{older: "go"}},
	}.run(t)
}

func TestOffboarded(t *testing.T) {
	left := func(s *scene) { s.reading.Memory.OffboardedAt = ago(9 * day) }
	fresh := func() *scene { return activate(inactive).has(key(inactive, false)).with(left) }
	self := guard.Actor{Kind: guard.Operator, Email: "alice@example.com"}
	judgements{
		"activation":                   {fresh(), map[string]string{inactive: "offboarded"}},
		"override by an administrator": {fresh().by(operator()).admin().override(guard.Offboarded), map[string]string{inactive: "over offboarded"}},
		"no override by a system":      {fresh().override(guard.Offboarded), map[string]string{inactive: "offboarded"}},
		"no override by the leaver":    {fresh().by(self).override(guard.Offboarded), map[string]string{inactive: "offboarded"}},
		"a key that is active":         {activate(older).has(key(older, true)).with(left), map[string]string{older: "offboarded"}},
		"a key that was activated":     {activate(older).has(key(older, true)).with(left).changed(older, guard.Change{Action: guard.Activate, OccurredAt: ago(time.Hour)}).with(func(s *scene) { s.req.OccurredAt = now() }), map[string]string{older: "unchanged"}},
		"deactivation may":             {deactivate(older).has(key(older, true)).with(left).with(leaving), map[string]string{older: "go"}},
	}.run(t)
}

func TestBlastRadius(t *testing.T) {
	recent := func(n int) func(*scene) { return func(s *scene) { s.reading.RecentChanges = n } }
	fresh := func() *scene {
		return deactivate(older, legacy, inactive).has(key(older, true), key(legacy, true), key(newer, true), key(inactive, false))
	}
	want := func(said string) map[string]string {
		return map[string]string{older: said, legacy: said, inactive: "unchanged"}
	}
	judgements{
		"up to the limit":              {fresh().with(recent(48)), want("go")},
		"over it, none goes":           {fresh().with(recent(49)), want("blast_radius")},
		"offboarding, too":             {fresh().with(recent(49)).with(leaving), want("blast_radius")},
		"override by an administrator": {fresh().with(recent(49)).by(operator()).admin().override(guard.BlastRadius), want("over blast_radius")},
		"no override by a system":      {fresh().with(recent(49)).override(guard.BlastRadius), want("blast_radius")},
		"nothing to change":            {deactivate(inactive).has(key(inactive, false)).with(recent(99)), map[string]string{inactive: "unchanged"}},
	}.run(t)
}

func TestChangeLimit(t *testing.T) {
	s := deactivate(older)
	if got := guard.ChangeLimit(s.req, s.reading, s.policy); got != 50 {
		t.Errorf("limit = %d, want the policy's 50", got)
	}
	s.override(guard.BlastRadius)
	if got := guard.ChangeLimit(s.req, s.reading, s.policy); got != 50 {
		t.Errorf("limit for a system that overrides = %d, want 50", got)
	}
	s.by(operator()).admin()
	if got := guard.ChangeLimit(s.req, s.reading, s.policy); got != 0 {
		t.Errorf("limit for an administrator who overrides = %d, want none", got)
	}
}

func TestRefusedOutright(t *testing.T) {
	if s := deactivate(); guard.RefusedOutright(s.req, s.reading, s.policy, now()) {
		t.Error("a harmless request is refused outright")
	}
	for name, s := range map[string]*scene{
		"not permitted": deactivate().by(operator()),
		"stale":         deactivate().with(func(s *scene) { s.req.OccurredAt = ago(2 * day) }),
		"untrusted":     activate().with(func(s *scene) { s.req.Source = "okta" }),
	} {
		if !guard.RefusedOutright(s.req, s.reading, s.policy, now()) {
			t.Errorf("%s: not refused outright", name)
		}
	}
}

func TestWarnings(t *testing.T) {
	leaver := guard.Request{Action: guard.Deactivate, Offboarding: true}
	gone := alice()
	gone.Active = false
	if got := guard.Warnings(leaver, alice()); len(got) != 1 || got[0].Code != guard.UserCanCreateKeys {
		t.Errorf("leaver who can log in: %v", got)
	}
	if got := guard.Warnings(leaver, gone); got != nil {
		t.Errorf("leaver who cannot log in: %v", got)
	}
	if got := guard.Warnings(guard.Request{Action: guard.Deactivate}, alice()); got != nil {
		t.Errorf("nobody leaves: %v", got)
	}
}

// TestChangesThatDoNotShowYet gives the guard a reading from before a change that the ledger knows.
func TestChangesThatDoNotShowYet(t *testing.T) {
	just := func(action guard.Action) guard.Change {
		return guard.Change{Action: action, At: ago(10 * time.Second), OccurredAt: ago(2 * time.Minute)}
	}
	long := guard.Change{Action: guard.Activate, At: ago(2 * time.Minute), OccurredAt: ago(2 * time.Minute)}
	judgements{
		"activated, to be deleted":         {remove(inactive).has(key(inactive, false), key(newer, true)).changed(inactive, just(guard.Activate)), map[string]string{inactive: "still_active"}},
		"activated, to be deactivated":     {deactivate(inactive).has(key(inactive, false), key(newer, true)).changed(inactive, just(guard.Activate)), map[string]string{inactive: "go"}},
		"activated, to be activated":       {activate(inactive).has(key(inactive, false)).changed(inactive, just(guard.Activate)), map[string]string{inactive: "go"}},
		"activated long ago":               {deactivate(inactive).has(key(inactive, false)).changed(inactive, long), map[string]string{inactive: "unchanged"}},
		"deactivated, to be activated":     {activate(newer).has(key(newer, true)).changed(newer, just(guard.Deactivate)), map[string]string{newer: "go"}},
		"deactivated, no replacement":      {deactivate(newer).has(key(newer, true), key(older, true)).changed(older, just(guard.Deactivate)), map[string]string{newer: "last_active_key"}},
		"activated, no replacement yet":    {deactivate(newer).has(key(newer, true), key(older, false)).changed(older, just(guard.Activate)), map[string]string{newer: "last_active_key"}},
		"deleted, deleted again":           {remove(inactive).has(key(inactive, false), key(newer, true)).changed(inactive, just(guard.Delete)), map[string]string{inactive: "unchanged"}},
		"deleted, and so not the other's ": {remove(inactive).has(key(inactive, false), key(older, false)).changed(older, just(guard.Delete)), map[string]string{inactive: "only_key_with_buckets"}},
	}.run(t)
}

// TestAttemptsNobodyKnowsTheEndOf: each may have been carried out, and need not show yet.
func TestAttemptsNobodyKnowsTheEndOf(t *testing.T) {
	const moment, long = 10 * time.Second, 2 * time.Minute
	both := []guard.Key{key(inactive, false), key(newer, true)}
	byNewer := func(s *scene) {
		attempt := s.reading.Memory.Attempts[newer]
		attempt.OccurredAt = ago(0)
		s.reading.Memory.Attempts[newer] = attempt
	}
	judgements{
		"activation, to be deleted":                      {remove(inactive).has(both...).tried(guard.Activate, inactive, moment), map[string]string{inactive: "still_active"}},
		"activation long ago, to be deleted":             {remove(inactive).has(both...).tried(guard.Activate, inactive, long), map[string]string{inactive: "go"}},
		"activation, to be deactivated":                  {deactivate(inactive).has(both...).tried(guard.Activate, inactive, moment), map[string]string{inactive: "go"}},
		"deactivation, to be activated":                  {activate(newer).has(key(newer, true)).tried(guard.Deactivate, newer, moment), map[string]string{newer: "go"}},
		"deactivation, no replacement":                   {deactivate(newer).has(key(newer, true), key(older, true)).tried(guard.Deactivate, older, moment), map[string]string{newer: "last_active_key"}},
		"deactivation long ago, still active":            {deactivate(newer).has(key(newer, true), key(older, true)).tried(guard.Deactivate, older, long), map[string]string{newer: "go"}},
		"deactivation by a newer event, to be activated": {activate(newer).has(key(newer, true)).tried(guard.Deactivate, newer, long).with(byNewer), map[string]string{newer: "superseded"}},
		"activation by a newer event, and who left":      {deactivate(newer).has(key(newer, true)).tried(guard.Activate, newer, long).with(byNewer).with(leaving), map[string]string{newer: "go"}},
		"deactivation by a newer event, again":           {deactivate(newer).has(both...).override(guard.LastActiveKey).tried(guard.Deactivate, newer, long).with(byNewer), map[string]string{newer: "over last_active_key"}},
		"deletion of a key nobody knew, gone":            {newScene(guard.Delete, []string{older}).has(key(newer, true)).tried(guard.Delete, older, long), map[string]string{older: "unchanged"}},
		"deletion, still there, deleted again":           {remove(inactive).has(both...).tried(guard.Delete, inactive, moment), map[string]string{inactive: "go"}},
		"deletion, and so perhaps not the other's":       {remove(inactive).has(key(inactive, false), key(older, false)).tried(guard.Delete, older, moment), map[string]string{inactive: "only_key_with_buckets"}},
	}.run(t)
}

func TestTheSameEventAgain(t *testing.T) {
	refused := func(s *scene) {
		s.reading.Memory.Refusals = map[string]guard.Refusal{newer: {Rule: guard.LastActiveKey, Message: "It is the last active key.", Remedy: "Activate another one first.", Fingerprint: s.req.Fingerprint()}}
	}
	event := deactivate(newer).req.Event()
	done := guard.Change{Action: guard.Deactivate, At: ago(time.Hour), OccurredAt: ago(time.Minute), Events: []string{"another", event}}
	undone := guard.Change{Action: guard.Activate, At: ago(time.Hour), OccurredAt: ago(time.Minute), Events: []string{event, "another"}}
	fresh := func() *scene { return deactivate(newer).has(key(newer, true), key(older, true)) }
	judgements{
		"refused before":                               {fresh().with(refused), map[string]string{newer: "last_active_key"}},
		"refused before, with override":                {fresh().with(refused).override(guard.LastActiveKey), map[string]string{newer: "go"}},
		"another event":                                {fresh().with(refused).with(func(s *scene) { s.req.ID = "e2" }), map[string]string{newer: "go"}},
		"carried out, and undone since":                {fresh().changed(newer, done), map[string]string{newer: "unchanged"}},
		"the same id at another time":                  {fresh().changed(newer, done).with(func(s *scene) { s.req.OccurredAt = ago(time.Second) }), map[string]string{newer: "go"}},
		"the same id of another sender":                {fresh().changed(newer, done).with(func(s *scene) { s.req.Source = "okta" }), map[string]string{newer: "go"}},
		"carried out, then another in the same second": {fresh().changed(newer, undone), map[string]string{newer: "superseded"}},
		"without an id":                                {fresh().changed(newer, guard.Change{Action: guard.Deactivate, OccurredAt: ago(time.Minute), Events: []string{""}}).with(func(s *scene) { s.req.ID = "" }), map[string]string{newer: "go"}},
		"offboarding, undone since":                    {fresh().changed(newer, done).with(leaving), map[string]string{newer: "go"}},
		"the activation that undid it":                 {activate(newer).has(key(newer, false)).changed(newer, done), map[string]string{newer: "go"}},
	}.run(t)
}
