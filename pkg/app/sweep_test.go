package app_test

import (
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/app"
	"keyreeve/pkg/bus/bustest"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

func TestTheSweepNamesWhatIsWrong(t *testing.T) {
	const canary = "Canary-31c2"
	for name, test := range map[string]struct {
		changes map[string]string
		want    []string
	}{
		"nowhere for reports":          {map[string]string{"KEYREEVE_SWEEP_REPORTS": ""}, []string{"KEYREEVE_SWEEP_REPORTS is missing: it must be s3:BUCKET/PREFIX or file:FOLDER."}},
		"reports elsewhere":            {map[string]string{"KEYREEVE_SWEEP_REPORTS": "ftp:" + canary}, []string{"KEYREEVE_SWEEP_REPORTS must be s3:BUCKET/PREFIX or file:FOLDER: no other archive is built in."}},
		"a folder without a name":      {map[string]string{"KEYREEVE_SWEEP_REPORTS": "file:"}, []string{"it names none"}},
		"a bucket that cannot be":      {map[string]string{"KEYREEVE_SWEEP_REPORTS": "s3:" + canary + "/x"}, []string{"that is no name of a bucket"}},
		"a bucket without a region":    {map[string]string{"KEYREEVE_SWEEP_REPORTS": "s3:keyreeve", "KEYREEVE_BUS": "", "AWS_REGION": ""}, []string{"AWS_REGION is missing, for KEYREEVE_SWEEP_REPORTS.", "KEYREEVE_BUS is missing"}},
		"an age enforced without one":  {map[string]string{"KEYREEVE_SWEEP_MAX_AGE": "enforce"}, []string{"KEYREEVE_MAX_KEY_AGE is missing, for KEYREEVE_SWEEP_MAX_AGE=enforce."}},
		"modes that are none":          {map[string]string{"KEYREEVE_SWEEP_MAX_AGE": canary, "KEYREEVE_SWEEP_INACTIVE_USER": "true", "KEYREEVE_SWEEP_DELETE": "ENFORCE"}, []string{"KEYREEVE_SWEEP_MAX_AGE must be report or enforce", "KEYREEVE_SWEEP_INACTIVE_USER must be", "KEYREEVE_SWEEP_DELETE must be"}},
		"an age that is none":          {map[string]string{"KEYREEVE_MAX_KEY_AGE": "90 days"}, []string{"KEYREEVE_MAX_KEY_AGE must be a duration above zero"}},
		"more than the whole contract": {map[string]string{"KEYREEVE_SWEEP_MAX_SHARE": "101"}, []string{"KEYREEVE_SWEEP_MAX_SHARE must be a whole number from 1 to 100"}},
		"nothing of the contract":      {map[string]string{"KEYREEVE_SWEEP_MAX_SHARE": "0"}, []string{"KEYREEVE_SWEEP_MAX_SHARE must be a whole number from 1 to 100"}},
		"nobody at IONOS":              {map[string]string{"IONOS_TOKEN": ""}, []string{"IONOS_TOKEN"}},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, frontDoor(t, map[string]string{"KEYREEVE_SWEEP_REPORTS": "file:" + t.TempDir()}))
			for variable, value := range test.changes {
				t.Setenv(variable, value)
			}
			_, err := app.NewSweep(t.Context())
			wantNamed(t, err, canary, test.want)
		})
	}
}

// TestTheSweepGoesByItsSettings runs the whole function over a contract in which each setting makes a difference.
func TestTheSweepGoesByItsSettings(t *testing.T) {
	const inactive = "KEYREEVE_SWEEP_INACTIVE_USER"
	for name, test := range map[string]struct {
		changes map[string]string
		// requested are the actions on the bus, warned is whether an owner is, and stopped the brake.
		requested []guard.Action
		warned    bool
		stopped   guard.Brake
	}{
		"as it comes":             {},
		"an age":                  {changes: map[string]string{"KEYREEVE_MAX_KEY_AGE": "2160h"}},
		"an age enforced":         {changes: map[string]string{"KEYREEVE_MAX_KEY_AGE": "2160h", "KEYREEVE_SWEEP_MAX_AGE": "enforce"}, warned: true},
		"a great age enforced":    {changes: map[string]string{"KEYREEVE_MAX_KEY_AGE": "8760h", "KEYREEVE_SWEEP_MAX_AGE": "enforce"}},
		"inactive users enforced": {changes: map[string]string{inactive: "enforce"}, requested: []guard.Action{guard.Deactivate}},
		"deletion enforced":       {changes: map[string]string{"KEYREEVE_SWEEP_DELETE": "enforce"}, requested: []guard.Action{guard.Delete}},
		"a longer grace period":   {changes: map[string]string{"KEYREEVE_SWEEP_DELETE": "enforce", "KEYREEVE_DELETE_GRACE": "2160h"}},
		"a dry run":               {changes: map[string]string{inactive: "enforce", "KEYREEVE_DRY_RUN": "true"}},
		"exempt":                  {changes: map[string]string{inactive: "enforce", "KEYREEVE_EXEMPT": "gus*@example.com"}},
		"more than may change":    {changes: map[string]string{inactive: "enforce", "KEYREEVE_MAX_CHANGES": "5"}, stopped: guard.TooManyDue},
		"more than a share":       {changes: map[string]string{inactive: "enforce", "KEYREEVE_SWEEP_MAX_SHARE": "20"}, stopped: guard.TooManyDue},
	} {
		t.Run(name, func(t *testing.T) {
			contract, taken := &ionostest.Server{Now: time.Now, ModifiedMetadata: true}, new(bustest.Bus)
			self := contract.AddUser(ionostest.User{Email: "keyreeve@example.com"})
			neglect(contract)
			api, bus := httptest.NewServer(contract), httptest.NewServer(taken)
			t.Cleanup(api.Close)
			t.Cleanup(bus.Close)
			setenv(t, frontDoor(t, map[string]string{
				"IONOS_TOKEN": contract.Token(self.ID), "IONOS_API_URL": api.URL, "AWS_ENDPOINT_URL_EVENTBRIDGE": bus.URL,
				"KEYREEVE_SWEEP_REPORTS": "file:" + filepath.Join(t.TempDir(), "reports"), "KEYREEVE_LOG_LEVEL": "error",
				"KEYREEVE_SWEEP_MAX_SHARE": "50",
			}))
			for variable, value := range test.changes {
				t.Setenv(variable, value)
			}
			handler, err := app.NewSweep(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			answer, err := handler.Invoke(t.Context(), []byte(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			var result guard.Sweep
			if err := json.Unmarshal(answer, &result); err != nil {
				t.Fatal(err)
			}
			var stopped guard.Brake
			if result.Stopped != nil {
				stopped = result.Stopped.Brake
			}
			var requested []guard.Action
			for _, req := range taken.Requests() {
				requested = append(requested, req.Action)
			}
			slices.Sort(requested)
			if diff := cmp.Diff(test.requested, slices.Compact(requested)); diff != "" || stopped != test.stopped || len(taken.Warnings()) > 0 != test.warned {
				t.Errorf("stopped by %q, %d warnings, requests (-want +got):\n%s", stopped, len(taken.Warnings()), diff)
			}
		})
	}
}

// neglect adds an old key, those of somebody who cannot log in, and one that was switched off long ago.
func neglect(contract *ionostest.Server) {
	ago := func(days int) time.Time { return time.Now().AddDate(0, 0, -days) }
	erin := contract.AddUser(ionostest.User{Email: "erin@example.com"})
	contract.AddKey(erin.ID, ionostest.Key{Active: true, Created: ago(200)})
	contract.AddKey(erin.ID, ionostest.Key{Active: true, Created: ago(10)})
	for _, name := range []string{"gus", "gustav"} {
		gus := contract.AddUser(ionostest.User{Email: name + "@example.com", Inactive: true})
		for range 3 {
			contract.AddKey(gus.ID, ionostest.Key{Active: true, Created: ago(10)})
		}
	}
	frank := contract.AddUser(ionostest.User{Email: "frank@example.com"})
	for range 4 {
		contract.AddKey(frank.ID, ionostest.Key{Active: true, Created: ago(10)})
	}
	contract.AddKey(frank.ID, ionostest.Key{Created: ago(200), Modified: ago(60)})
}
