package sweep_test

import (
	"encoding/json"
	"testing"

	"keyreeve/pkg/guard"
)

// FuzzPayload hands the function anything. It answers, or says what is wrong with the payload, and only an order or a state
// of its own makes it do something.
func FuzzPayload(f *testing.F) {
	for _, payload := range []string{
		`{}`, `{"policy":"max_age","dryRun":true,"override":["shrunk_reading"]}`, `{"policy":null}`, `{"Records":[]}`,
		`{"Records":[{"messageId":"m1","body":"{}"}]}`, `{"Records":[{"body":"{}"}]}`,
		`{"source":"aws.scheduler","detail-type":"Scheduled Event","detail":{}}`,
		`{"source":"keyreeve","detail-type":"Key Sweep Continued","detail":{"order":{},"night":{"id":"n","startedAt":"2026-11-23T02:00:05Z","day":"2026-11-23","dayBegan":"2026-11-23T02:00:05Z"},"phase":"reading","offset":100,"parts":["0000-n1"],"published":0,"users":100,"keys":300,"policies":[]}}`,
		`{"source":"keyreeve","detail-type":"Key Sweep Continued","detail":{"phase":"finished","parts":[""],"offset":-1,"night":{"id":"../..","day":"x"}}}`,
		`{"source":"keyreeve","detail-type":"Key Sweep Continued","detail":{"phase":"publishing","parts":["/../../report"]}}`,
	} {
		f.Add([]byte(payload))
	}
	w := newWorld(f)
	w.user("alice", 10)
	f.Fuzz(func(t *testing.T, payload []byte) {
		answer, err := w.Invoke(t.Context(), payload)
		switch kind := guard.KindOf(err); {
		case err == nil && !json.Valid(answer):
			t.Errorf("answered %q", answer)
		case kind != "" && kind != guard.Invalid && kind != guard.Unavailable && kind != guard.NotFound:
			t.Errorf("error of kind %s: %v", kind, err)
		}
		if w.writes() > 0 || len(w.bus.Requests()) > 0 {
			t.Error("something was done")
		}
	})
}
