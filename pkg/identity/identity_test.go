package identity_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/identity"
)

func noon() time.Time { return time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC) }

const (
	items = "github:octocat=alice@example.com\nslack:U1=bob@example.com"
	more  = items + "\ngithub:hubot=carol@example.com"
)

func TestEmail(t *testing.T) {
	t.Parallel()
	store := newParameterStore(t)
	store.put("/keyreeve/identity/all", items)
	for name, setting := range map[string]string{
		"the items themselves": items,
		"with space around":    "\n " + items + "\n",
		"a file":               "file:" + write(t, filepath.Join(t.TempDir(), "people"), items),
		"a parameter":          "ssm:/keyreeve/identity/all",
		"a path":               "ssm:/keyreeve/",
		"the root":             "ssm:/",
		"with space around it": " ssm:/keyreeve/identity/all\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := open(t, store.config(t, setting))
			for _, test := range []struct{ sender, id, want string }{
				{"github", "octocat", "alice@example.com"},
				{"github", "OctoCat", "alice@example.com"},
				{"slack", "u1", "bob@example.com"},
				{"slack", "octocat", ""},
				{"GitHub", "octocat", ""},
				{"", "octocat", ""},
				{"github", "", ""},
				{"github", " octocat", ""},
				{"github", "octocat=alice@example.com", ""},
				{"github", "octo\u212Aat", ""},
				{"github", "octocat\xff", ""},
			} {
				wantEmail(t, m, test.sender, test.id, test.want)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		wantEmail(t, open(t, identity.Config{Clock: noon}), "github", "octocat", "")
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := newParameterStore(t)
	store.put("/wrong", "github:octocat")
	store.put("/wrong/of/a", items)
	store.put("/wrong/of/b", "github:octocat=bob@example.com")
	for i := range 300 {
		store.put("/large/"+strings.Repeat("x", i), strings.Repeat("#", 4096))
	}
	for name, test := range map[string]struct {
		setting string
		// invalid is what the message says of items that are not right; unreadable is what the log says of others.
		invalid, unreadable string
	}{
		"items":                    {setting: "github:octocat", invalid: "item 1 is not of the form sender:id=email"},
		"a file with wrong items":  {setting: "file:" + write(t, filepath.Join(folder, "wrong"), items+",x"), invalid: "item 3 is not of the form sender:id=email"},
		"a file that is too large": {setting: "file:" + write(t, filepath.Join(folder, "large"), strings.Repeat("#", 1<<20+1)), invalid: "it has more than 1048576 bytes"},
		"a file that is not there": {setting: "file:" + filepath.Join(folder, "missing"), unreadable: "no such file"},
		"a folder":                 {setting: "file:" + folder, unreadable: "is a directory"},
		"no file":                  {setting: "file:", unreadable: "no such file"},
		"a wrong parameter":        {setting: "ssm:/wrong", invalid: "item 1 is not of the form sender:id=email"},
		"parameters at odds":       {setting: "ssm:/wrong/of/", invalid: "item 3 has the id of item 1, and another e-mail address"},
		"parameters too large":     {setting: "ssm:/large/", invalid: "it has more than 1048576 bytes"},
		"no such parameter":        {setting: "ssm:/missing", unreadable: "GetParameter: ParameterNotFound (status 400)"},
		"nothing below the path":   {setting: "ssm:/missing/", unreadable: "there are no parameters below /missing"},
		"a path from nowhere":      {setting: "ssm:wrong/", unreadable: "GetParametersByPath: ValidationException (status 400)"},
		"no parameter":             {setting: "ssm:", unreadable: "GetParameter: ValidationException (status 400)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := identity.Open(t.Context(), store.config(t, test.setting))
			if test.invalid != "" {
				wantInvalid(t, err, "The identity map is not right: "+test.invalid+".")
			} else {
				wantUnreadable(t, err, test.unreadable)
			}
			if m != nil {
				t.Errorf("got a map beside the error")
			}
		})
	}
	t.Run("a file as large as it may be", func(t *testing.T) {
		t.Parallel()
		text := items + "\n" + strings.Repeat("#", 1<<20-len(items)-1)
		m := open(t, store.config(t, "file:"+write(t, filepath.Join(folder, "full"), text)))
		wantEmail(t, m, "github", "octocat", "alice@example.com")
	})
}

// place is where the items of a map are, for a test that changes them.
type place struct {
	setting string
	// put changes the items; lose takes them away.
	put  func(items string)
	lose func()
}

func places(t *testing.T, store *parameterStore) map[string]place {
	t.Helper()
	path := filepath.Join(t.TempDir(), "people")
	return map[string]place{
		"file": {
			setting: "file:" + path,
			put:     func(items string) { write(t, path, items) },
			lose: func() {
				if err := os.Remove(path); err != nil {
					t.Error(err)
				}
			},
		},
		"parameter": {"ssm:/people", func(items string) { store.put("/people", items) }, func() { store.remove("/people") }},
		"path":      {"ssm:/tree/", func(items string) { store.put("/tree/of/people", items) }, func() { store.remove("/tree/of/people") }},
	}
}

func TestASourceIsReadAgain(t *testing.T) {
	t.Parallel()
	store := newParameterStore(t)
	for name, place := range places(t, store) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := noon()
			cfg := store.config(t, place.setting)
			cfg.Clock = func() time.Time { return now }
			place.put(items)
			m := open(t, cfg)

			place.put(more)
			now = now.Add(time.Minute - time.Nanosecond)
			wantEmail(t, m, "github", "hubot", "") // not within a minute
			now = now.Add(time.Nanosecond)
			wantEmail(t, m, "github", "octocat", "alice@example.com")
			wantEmail(t, m, "github", "hubot", "carol@example.com")

			place.put("github:hubot=dave@example.com\nslack:U2=erin@example.com")
			now = now.Add(time.Minute)
			wantEmail(t, m, "github", "hubot", "carol@example.com") // who is known is not asked for
			wantEmail(t, m, "slack", "u2", "erin@example.com")
			wantEmail(t, m, "github", "hubot", "dave@example.com")
			wantEmail(t, m, "github", "octocat", "")
		})
	}
}

func TestReadingAgainInVainKeepsWhatWasRead(t *testing.T) {
	t.Parallel()
	store := newParameterStore(t)
	for name, place := range places(t, store) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := noon()
			cfg := store.config(t, place.setting)
			cfg.Clock = func() time.Time { return now }
			place.put(items)
			m := open(t, cfg)
			// refused asks for somebody unknown, and then for somebody known.
			refused := func() error {
				_, known, err := m.Email(t.Context(), "github", "hubot")
				if known {
					t.Errorf("an id is known that was in no item")
				}
				wantEmail(t, m, "github", "octocat", "alice@example.com")
				return err
			}

			place.lose()
			now = now.Add(time.Minute)
			wantUnreadable(t, refused(), "")
			place.put(more)
			now = now.Add(time.Minute - time.Nanosecond)
			wantUnreadable(t, refused(), "") // it is still not known

			place.put("github:hubot")
			now = now.Add(time.Nanosecond)
			wantInvalid(t, refused(), "The identity map is not right: item 1 is not of the form sender:id=email.")

			place.put(items)
			now = now.Add(time.Minute)
			if err := refused(); err != nil {
				t.Errorf("after a reading that went well: %v", err)
			}
		})
	}
}

func TestASourceIsReadNoMoreThanNeeded(t *testing.T) {
	t.Parallel()
	store := newParameterStore(t)
	store.put("/people", items)
	now := noon()
	cfg := store.config(t, "ssm:/people")
	cfg.Clock = func() time.Time { return now }
	m := open(t, cfg)
	for _, test := range []struct {
		name  string
		after time.Duration
		id    string
		want  int
	}{
		{"somebody unknown at once", 0, "hubot", 1},
		{"somebody known much later", time.Hour, "octocat", 1},
		{"somebody unknown then", 0, "hubot", 2},
		{"the same soon after", 59 * time.Second, "hubot", 2},
		{"somebody else after a minute", time.Second, "robot", 3},
	} {
		now = now.Add(test.after)
		if _, _, err := m.Email(t.Context(), "github", test.id); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if got := len(store.made()); got != test.want {
			t.Errorf("%s: %d readings by then, want %d", test.name, got, test.want)
		}
	}
}

// All ask for somebody new while reading takes a second.
func TestManyAskAtOnce(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]bool{"it is read": false, "it cannot be read": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := new(parameterStore)
				store.put("/people", items)
				cfg := store.config(t, "ssm:/people")
				cfg.Transport, cfg.Clock = slow{store, time.Second}, time.Now
				m := open(t, cfg)
				time.Sleep(time.Hour)
				store.put("/people", more)
				if fail {
					store.remove("/people")
				}

				start := time.Now()
				var asking sync.WaitGroup
				var answered atomic.Int32
				for range 16 {
					asking.Go(func() {
						email, known, err := m.Email(t.Context(), "github", "hubot")
						if (err != nil) != fail || known == fail || known != (email == "carol@example.com") {
							t.Errorf("Email = %q, %t, %v", email, known, err)
						}
						answered.Add(1)
					})
				}
				time.Sleep(500 * time.Millisecond)
				if n := answered.Load(); n != 0 {
					t.Errorf("%d were answered before the source was read", n)
				}
				wantEmail(t, m, "github", "octocat", "alice@example.com") // who is known need not wait
				hurried, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				_, known, err := m.Email(hurried, "github", "hubot")
				if known {
					t.Error("somebody is known before the source was read")
				}
				wantUnreadable(t, err, "deadline exceeded")
				asking.Wait()
				if diff := cmp.Diff(time.Second, time.Since(start)); diff != "" {
					t.Errorf("time for all (-want +got):\n%s", diff)
				}
				if got := len(store.made()); got != 2 {
					t.Errorf("%d readings, want 2: one at the start and one for all", got)
				}
			})
		})
	}
}

func open(t *testing.T, cfg identity.Config) *identity.Map {
	t.Helper()
	m, err := identity.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return m
}

// wantEmail wants the address, or none.
func wantEmail(t *testing.T, m *identity.Map, sender, id, want string) {
	t.Helper()
	got, known, err := m.Email(t.Context(), sender, id)
	if err != nil {
		t.Fatalf("Email(%q, %q): %v", sender, id, err)
	}
	if got != want || known != (want != "") {
		t.Errorf("Email(%q, %q) = %q, %t; want %q", sender, id, got, known, want)
	}
}

func wantInvalid(t *testing.T, err error, message string) {
	t.Helper()
	got := guard.AsError(err)
	if err == nil || got.Kind != guard.Invalid || got.Message != message || !strings.Contains(got.Remedy, "KEYREEVE_IDENTITY_MAP") {
		t.Errorf("got %v, want an error of kind invalid: %s", err, message)
	}
}

// wantUnreadable wants an error that is fit for people and for the log.
func wantUnreadable(t *testing.T, err error, cause string) {
	t.Helper()
	got := guard.AsError(err)
	if err == nil || got.Kind != guard.Unavailable || got.Message != "The identity map cannot be read." || !strings.Contains(got.Remedy, "KEYREEVE_IDENTITY_MAP") {
		t.Errorf("got %v, want an error of kind unavailable", err)
		return
	}
	if !strings.Contains(err.Error(), cause) {
		t.Errorf("got %v, want %q in it", err, cause)
	}
	for _, secret := range []string{keyID, private, session, "Signature=", "@example.com"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error has %q in it: %v", secret, err)
		}
	}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
