package chatops_test

import (
	"crypto/hkdf"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/chatops"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos/ionostest"
)

// The signing secrets of an app, before and after it got another.
const (
	firstSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	nextSecret  = "31b10e8888abcd99yyyzzz85a58f7422"
)

func newSealer(tb testing.TB, secrets ...string) *chatops.Sealer {
	tb.Helper()
	var hidden []guard.Secret
	for _, secret := range secrets {
		hidden = append(hidden, guard.NewSecret(secret))
	}
	sealer, err := chatops.NewSealer(hidden)
	if err != nil {
		tb.Fatal(err)
	}
	return sealer
}

func seal(tb testing.TB, sealer *chatops.Sealer, p chatops.Pending) string {
	tb.Helper()
	token, err := sealer.Seal(p)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// deletion is a question that was asked at noon.
func deletion() chatops.Pending {
	keys := []string{key1, key2}
	return chatops.Pending{
		ID: "question-1",
		Request: guard.Request{
			ID: "question-1", Action: guard.Delete, User: someoneID, Keys: keys, Confirm: keys, Reason: "not needed <any> more",
			Actor: guard.Actor{Kind: guard.ChatOps, Name: "olga", Email: "olga@example.com"}, Override: []guard.Rule{guard.GracePeriod},
		},
		Email: someone, Asker: "U123", Expires: noon().Add(chatops.Lifetime),
	}
}

func TestSealedAndOpened(t *testing.T) {
	t.Parallel()
	sealer := newSealer(t, firstSecret)
	offboarding := deletion()
	offboarding.Request.Action, offboarding.Request.Offboarding, offboarding.Request.Confirm = guard.Deactivate, true, nil
	bare := chatops.Pending{
		ID: "question-2", Request: guard.Request{ID: "question-2", Action: guard.Activate, User: someoneID, Keys: []string{key1}},
		Expires: noon().Add(time.Second),
	}
	for name, want := range map[string]chatops.Pending{"a deletion": deletion(), "an offboarding": offboarding, "no more than must be": bare} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := sealer.Open(seal(t, sealer, want), noon())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("opened (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOnlyWhatIsSealedIsApproved gives a request more than a second person sees: it is not in the token, and what an
// asker says that they confirm does not count either.
func TestOnlyWhatIsSealedIsApproved(t *testing.T) {
	t.Parallel()
	sealer, more := newSealer(t, firstSecret), deletion()
	more.Request.ID, more.Request.Source, more.Request.OccurredAt = "another", "slack", noon()
	more.Request.ApprovedBy = guard.Actor{Kind: guard.ChatOps, Email: "mallory@example.com"}
	more.Request.ReplyTo = guard.ReplyTo{Slack: "https://hooks.slack.com/actions/T1/1/x", Channel: "C1"}
	more.Request.Confirm = []string{key1}
	got, err := sealer.Open(seal(t, sealer, more), noon())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(deletion(), got); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*chatops.Pending)
		want   guard.Kind
	}{
		"no id":     {func(p *chatops.Pending) { p.ID = "" }, guard.Internal},
		"no keys":   {func(p *chatops.Pending) { p.Request.Keys = nil }, guard.Internal},
		"a dry run": {func(p *chatops.Pending) { p.Request.DryRun = true }, guard.Internal},
		"many keys": {func(p *chatops.Pending) {
			for n := range 20 {
				p.Request.Keys = append(p.Request.Keys, ionostest.LongID(n))
			}
		}, guard.Invalid},
		"a reason of wide characters": {func(p *chatops.Pending) { p.Request.Reason = strings.Repeat("🔑", 300) }, guard.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := deletion()
			test.change(&p)
			token, err := newSealer(t, firstSecret).Seal(p)
			if known := guard.AsError(err); err == nil || known.Kind != test.want || known.Remedy == "" {
				t.Errorf("got %d characters and %v, want an error of kind %q", len(token), err, test.want)
			}
			if token != "" {
				t.Errorf("there is a token all the same")
			}
		})
	}
}

// TestAButtonHasRoom seals the most that people have: IONOS gives nobody more than five keys.
func TestAButtonHasRoom(t *testing.T) {
	t.Parallel()
	sealer, most := newSealer(t, firstSecret), deletion()
	most.ID = strings.Repeat("0", 64)
	most.Request.Keys, most.Request.Override = nil, guard.Overridable()
	for n := range ionostest.MaxKeys {
		most.Request.Keys = append(most.Request.Keys, ionostest.LongID(n))
	}
	most.Request.Reason = strings.Repeat("r", 300)
	token := seal(t, sealer, most)
	if len(token) > 2000 {
		t.Errorf("the token has %d characters, and a button has room for 2000", len(token))
	}
	if _, err := sealer.Open(token, noon()); err != nil {
		t.Error(err)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	sealer := newSealer(t, firstSecret)
	token := seal(t, sealer, deletion())
	for name, test := range map[string]struct {
		at      time.Time
		expired bool
	}{
		"at once":      {noon(), false},
		"in time":      {noon().Add(chatops.Lifetime - time.Nanosecond), false},
		"too late":     {noon().Add(chatops.Lifetime), true},
		"far too late": {noon().AddDate(1, 0, 0), true},
		"a bit early":  {noon().Add(-time.Minute), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := sealer.Open(token, test.at)
			if !test.expired {
				if err != nil {
					t.Error(err)
				}
				return
			}
			known := guard.AsError(err)
			if err == nil || known.Kind != guard.Invalid || known.Message != "This was not approved in time: it expired at 12:10:00 UTC." {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// mustBeForbidden opens a token that is not one of the sealer's.
func mustBeForbidden(t *testing.T, sealer *chatops.Sealer, token string, at time.Time) {
	t.Helper()
	got, err := sealer.Open(token, at)
	if guard.KindOf(err) != guard.Forbidden {
		t.Fatalf("%q is opened as %+v, %v", token, got, err)
	}
	if known := guard.AsError(err); known.Message != "This is no question of Keyreeve's, or it was altered." || known.Remedy == "" || got.ID != "" {
		t.Errorf("got %+v and %+v", got, known)
	}
}

// TestEveryCharacterCounts alters a token at every place, also once it has expired: then, too, nothing of it is believed.
func TestEveryCharacterCounts(t *testing.T) {
	t.Parallel()
	sealer := newSealer(t, firstSecret)
	token := seal(t, sealer, deletion())
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" // of base64 for addresses
	for _, at := range []time.Time{noon(), noon().AddDate(1, 0, 0)} {
		for i := range token {
			before, after := token[:i], token[i+1:]
			others := append(strings.Split(digits, ""), ".", "=", "", "\n", token[i:i+1]+"\n", "\r"+token[i:i+1], token[i:i+1]+"A")
			for _, other := range others {
				if other != token[i:i+1] {
					mustBeForbidden(t, sealer, before+other+after, at)
				}
			}
			mustBeForbidden(t, sealer, before, at)
		}
		for _, more := range []string{"A", "=", ".", "\n", " ", "." + token} {
			mustBeForbidden(t, sealer, token+more, at)
			mustBeForbidden(t, sealer, more+token, at)
		}
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	before, after, rotating := newSealer(t, firstSecret), newSealer(t, nextSecret), newSealer(t, nextSecret, firstSecret)
	old, fresh := seal(t, before, deletion()), seal(t, rotating, deletion())
	for name, test := range map[string]struct {
		sealer *chatops.Sealer
		token  string
	}{
		"sealed before, while it is replaced": {rotating, old},
		"sealed while it is replaced":         {rotating, fresh},
		"sealed with the newest":              {after, fresh},
	} {
		if _, err := test.sealer.Open(test.token, noon()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	mustBeForbidden(t, after, old, noon())
	mustBeForbidden(t, before, fresh, noon())

	for name, secrets := range map[string][]guard.Secret{
		"none": nil, "an empty one": {guard.NewSecret(firstSecret), guard.NewSecret("")}, "a zero one": {{}},
	} {
		if _, err := chatops.NewSealer(secrets); guard.KindOf(err) != guard.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestForged makes tokens as somebody would who knows the secret, or how tokens are made, and not both.
func TestForged(t *testing.T) {
	t.Parallel()
	derived := func(purpose string) []byte {
		key, err := hkdf.Key(sha256.New, []byte(firstSecret), nil, purpose, sha256.Size)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	type claims = jwt.MapClaims
	valid := func(change claims) claims {
		all := claims{
			"jti": "question-1", "aud": []string{"keyreeve approval"}, "exp": noon().Add(time.Minute).Unix(), "asker": "U123",
			"request": map[string]any{"action": "delete", "user": someoneID, "keys": []string{key1}},
		}
		for name, value := range change {
			if all[name] = value; value == nil {
				delete(all, name)
			}
		}
		return all
	}
	sign := func(method jwt.SigningMethod, key any, change claims) string {
		token, err := jwt.NewWithClaims(method, valid(change)).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	sealer, right := newSealer(t, firstSecret), derived("keyreeve approval")
	if _, err := sealer.Open(sign(jwt.SigningMethodHS256, right, nil), noon()); err != nil {
		t.Fatalf("these tests do not make tokens as they should: %v", err)
	}
	for name, token := range map[string]string{
		"nothing":                      "",
		"no token":                     "a.b.c",
		"no signature":                 sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"another algorithm":            sign(jwt.SigningMethodHS512, right, nil),
		"the secret itself":            sign(jwt.SigningMethodHS256, []byte(firstSecret), nil),
		"an empty key":                 sign(jwt.SigningMethodHS256, []byte{}, nil),
		"a key for something else":     sign(jwt.SigningMethodHS256, derived("keyreeve session"), nil),
		"a key for nothing":            sign(jwt.SigningMethodHS256, derived(""), nil),
		"a token for something else":   sign(jwt.SigningMethodHS256, right, claims{"aud": []string{"keyreeve session"}}),
		"a token for nothing":          sign(jwt.SigningMethodHS256, right, claims{"aud": nil}),
		"a token that is valid always": sign(jwt.SigningMethodHS256, right, claims{"exp": nil}),
		"times that are none":          sign(jwt.SigningMethodHS256, right, claims{"exp": "tomorrow"}),
		"claims that are none":         sign(jwt.SigningMethodHS256, right, claims{"request": "delete"}),
		"more than a button holds":     sign(jwt.SigningMethodHS256, right, claims{"email": strings.Repeat("x", 2000)}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustBeForbidden(t, sealer, token, noon())
		})
	}
}

// FuzzOpen presses buttons with anything at all: only what was sealed is opened, byte for byte.
func FuzzOpen(f *testing.F) {
	sealer, rotated := newSealer(f, firstSecret), newSealer(f, nextSecret)
	token := seal(f, sealer, deletion())
	header, rest, _ := strings.Cut(token, ".")
	body, mac, _ := strings.Cut(rest, ".")
	for _, seed := range []string{
		token, seal(f, rotated, deletion()), "", "..", header + "." + body + ".", "." + body + "." + mac, header + ".." + mac, token + "\n", token + "=",
		"eyJhbGciOiJub25lIn0." + body + ".", "eyJhbGciOiJIUzUxMiJ9." + body + "." + mac, "bnVsbA.bnVsbA.bnVsbA", `{"user":"alice"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pressed string) {
		got, err := sealer.Open(pressed, noon())
		if pressed != token {
			mustBeForbidden(t, sealer, pressed, noon())
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(deletion(), got); diff != "" {
			t.Errorf("opened (-want +got):\n%s", diff)
		}
	})
}
