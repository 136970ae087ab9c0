package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What a sweep announces shows in one line.
func TestTheConsoleShowsSweeps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, detailType, detail, want string }{
		{
			"finished", "Key Sweep Finished",
			`{"id":"s1","users":9,"keys":16,"report":"http://here/reports/s1.html","policies":[
				{"policy":"max_age","mode":"report","warn":3,"wait":1,"deactivate":0,"delete":0,"refused":0},
				{"policy":"inactive_user","mode":"enforce","warn":0,"wait":0,"deactivate":2,"delete":0,"refused":1},
				{"policy":"delete_after_grace","mode":"report","warn":0,"wait":0,"deactivate":0,"delete":0,"refused":0}]}`,
			"Key Sweep Finished: 16 keys of 9 users; max_age (report) warn 3 wait 1; inactive_user (enforce) deactivate 2 refused 1; " +
				"delete_after_grace (report) nothing; http://here/reports/s1.html",
		},
		{
			"stopped", "Key Sweep Stopped",
			`{"id":"s2","users":1,"keys":2,"policies":[{"policy":"max_age","mode":"report","warn":3}],"stopped":{"brake":"shrunk_reading","message":"Half of the keys are missing.","remedy":"Look."}}`,
			"Key Sweep Stopped: 2 keys of 1 users; shrunk_reading: Half of the keys are missing; max_age (report) warn 3",
		},
		{"of another shape", "Key Sweep Finished", `{"users":"many"}`, `Key Sweep Finished: {"users":"many"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			b := &bus{tracker: newTracker(), console: &console{out: &out}}
			if err := b.publish(event{ID: "e1", Source: "keyreeve", DetailType: tt.detailType, Detail: json.RawMessage(tt.detail)}); err != nil {
				t.Fatal(err)
			}
			if _, got, _ := strings.Cut(strings.TrimSuffix(out.String(), "\n"), " "); got != tt.want {
				t.Errorf("the console shows %q, want %q", got, tt.want)
			}
		})
	}
}
