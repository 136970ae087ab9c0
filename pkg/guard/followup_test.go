package guard_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
)

func TestUnfinished(t *testing.T) {
	const moment, long = 10 * time.Second, 2 * time.Minute
	left := func(age time.Duration, keys ...guard.Key) *scene {
		return deactivate().has(keys...).tried(guard.Deactivate, older, age)
	}
	for name, test := range map[string]struct {
		scene *scene
		want  guard.FollowUp
	}{
		"no attempt":                            {deactivate().has(key(older, false)), guard.FollowUp{}},
		"off, and the user's last":              {left(moment, key(older, false)), guard.FollowUp{BackOn: older, Settled: []string{older}}},
		"off for long, and the user's last":     {left(long, key(older, false)), guard.FollowUp{BackOn: older, Settled: []string{older}}},
		"off since nobody remembers":            {left(time.Hour, key(older, false)), guard.FollowUp{Settled: []string{older}}},
		"off, and the user has left":            {left(moment, key(older, false)).with(func(s *scene) { s.reading.Memory.OffboardedAt = ago(day) }), guard.FollowUp{Settled: []string{older}}},
		"off, beside another":                   {left(moment, key(older, false), key(newer, true)), guard.FollowUp{Settled: []string{older}}},
		"off, beside a legacy key":              {left(moment, key(older, false), key(legacy, true)), guard.FollowUp{BackOn: older, Settled: []string{older}}},
		"does not show, may be the user's last": {left(moment, key(older, true), key(newer, false)), guard.FollowUp{BackOn: older}},
		"does not show, beside another":         {left(moment, key(older, true), key(newer, true)), guard.FollowUp{}},
		"did not happen, or was undone":         {left(long, key(older, true), key(newer, false)), guard.FollowUp{Settled: []string{older}}},
		"beside one that was just switched off": {left(moment, key(older, false), key(newer, true)).changed(newer, guard.Change{Action: guard.Deactivate, At: ago(moment)}), guard.FollowUp{BackOn: older, Settled: []string{older}}},
		"of somebody who may be left without": {left(moment, key(older, false)).with(func(s *scene) {
			s.reading.Memory.Attempts[older] = guard.Attempt{Action: guard.Deactivate, At: ago(moment)}
		}), guard.FollowUp{}},
		"off, and exempt":                 {left(moment, key(older, false)).with(exempting("alice@*")), guard.FollowUp{Settled: []string{older}}},
		"switched by somebody else since": {left(10*time.Minute, guard.Key{ID: older, Created: ago(400 * day), Modified: ago(7 * time.Minute)}), guard.FollowUp{Settled: []string{older}}},
		"switched by the attempt itself":  {left(10*time.Minute, guard.Key{ID: older, Created: ago(400 * day), Modified: ago(9 * time.Minute)}), guard.FollowUp{BackOn: older, Settled: []string{older}}},
		"left, and activated since":       {left(moment, key(older, false)).with(func(s *scene) { s.reading.Memory.OffboardedAt = ago(day) }).changed(older, guard.Change{Action: guard.Activate, OccurredAt: ago(time.Hour)}), guard.FollowUp{BackOn: older, Settled: []string{older}}},
		"left, and activated before":      {left(moment, key(older, false)).with(func(s *scene) { s.reading.Memory.OffboardedAt = ago(day) }).changed(older, guard.Change{Action: guard.Activate, OccurredAt: ago(2 * day)}), guard.FollowUp{Settled: []string{older}}},
		"a key that is gone for long":     {left(time.Hour, key(newer, false)), guard.FollowUp{Forgotten: []string{older}}},
		"a key that is gone":              {left(moment, key(newer, false)), guard.FollowUp{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, guard.Unfinished(test.scene.reading, test.scene.policy, now())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
