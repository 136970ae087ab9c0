package chatops_test

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/chatops"
	"keyreeve/pkg/guard"
)

func newSealer(t *testing.T, secrets ...string) *chatops.Sealer {
	t.Helper()
	var all []guard.Secret
	for _, s := range secrets {
		all = append(all, guard.NewSecret(s))
	}
	sealer, err := chatops.NewSealer(all)
	must(t, err)
	return sealer
}

// pending is a question about the deletion of a key, of which everything is approved that the sealer keeps.
func pending() chatops.Pending {
	keys := []string{key1}
	return chatops.Pending{
		ID: "0123456789abcdef", Email: someone, Asker: olga, Expires: noon().Add(chatops.Lifetime),
		Request: guard.Request{
			Action: guard.Delete, User: someoneID, Keys: keys, Confirm: keys, Reason: "not needed", Override: []guard.Rule{guard.GracePeriod},
			Actor: guard.Actor{Kind: guard.ChatOps, Name: olga, Email: "olga@example.com"}, ID: "0123456789abcdef",
		},
	}
}

func TestASealIsOpened(t *testing.T) {
	t.Parallel()
	token, err := newSealer(t, "the newer one", "the older one").Seal(pending())
	must(t, err)
	for name, sealer := range map[string]*chatops.Sealer{
		"the same":                newSealer(t, "the newer one"),
		"a rotation begun":        newSealer(t, "one newer still", "the newer one"),
		"a rotation of all three": newSealer(t, "one newer still", "another", "the newer one"),
	} {
		got, err := sealer.Open(token, noon())
		if diff := cmp.Diff(pending(), got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if _, err := newSealer(t, "the older one").Open(token, noon()); guard.KindOf(err) != guard.Forbidden {
		t.Errorf("by the older secret: %v", err)
	}
}

// What is not asked for by the person in Slack is not approved either.
func TestOnlyWhatWasAskedIsSealed(t *testing.T) {
	t.Parallel()
	more := pending()
	more.Request.ApprovedBy = guard.Actor{Kind: guard.ChatOps, Email: "otto@example.com"}
	more.Request.Source, more.Request.OccurredAt = "okta", noon()
	more.Request.ReplyTo = guard.ReplyTo{Slack: "https://hooks.slack.com/x", Channel: room}
	more.Request.Confirm = []string{"another"}
	sealer := newSealer(t, signed)
	token, err := sealer.Seal(more)
	must(t, err)
	got, err := sealer.Open(token, noon())
	if diff := cmp.Diff(pending(), got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestASealExpires(t *testing.T) {
	t.Parallel()
	sealer := newSealer(t, signed)
	token, err := sealer.Seal(pending())
	must(t, err)
	if _, err := sealer.Open(token, noon().Add(chatops.Lifetime-time.Nanosecond)); err != nil {
		t.Errorf("just in time: %v", err)
	}
	_, err = sealer.Open(token, noon().Add(chatops.Lifetime))
	if guard.KindOf(err) != guard.Invalid || !strings.Contains(err.Error(), "expired at 12:10:00 UTC") {
		t.Errorf("too late: %v", err)
	}
}

// Whatever is changed about a token, it is none any more.
func TestABrokenSeal(t *testing.T) {
	t.Parallel()
	sealer := newSealer(t, signed)
	token, err := sealer.Seal(pending())
	must(t, err)
	refuse := func(what, broken string) {
		t.Helper()
		if got, err := sealer.Open(broken, noon()); guard.KindOf(err) != guard.Forbidden {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.="
	for i := range token {
		for _, other := range letters {
			if other != rune(token[i]) {
				refuse(fmt.Sprintf("%q in place %d", other, i), token[:i]+string(other)+token[i+1:])
			}
		}
		refuse(fmt.Sprintf("the first %d", i), token[:i])
		refuse(fmt.Sprintf("all but the first %d", i+1), token[i+1:])
	}
	refuse("a line break", token[:50]+"\n"+token[50:])
	refuse("a line break at its end", token+"\n")
	parts := strings.Split(token, ".")
	refuse("no algorithm", "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0."+parts[1]+".")
	refuse("twice", token+token)
}

// forge makes a token with Slack's signing secret, as an attacker who has it might, or another part of Keyreeve.
func forge(t *testing.T, method jwt.SigningMethod, purpose string, claims jwt.MapClaims) string {
	t.Helper()
	key, err := hkdf.Key(sha256.New, []byte(signed), nil, purpose, sha256.Size)
	must(t, err)
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	must(t, err)
	return token
}

func TestSealsOfAnotherSort(t *testing.T) {
	t.Parallel()
	const purpose = "keyreeve approval"
	claims := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"jti": "1", "aud": purpose, "exp": noon().Add(time.Minute).Unix(), "asker": olga, "request": map[string]any{"action": "delete", "user": someone, "keys": []string{key1}}}
		change(c)
		return c
	}
	sealer := newSealer(t, signed)
	right := forge(t, jwt.SigningMethodHS256, purpose, claims(func(jwt.MapClaims) {}))
	if _, err := sealer.Open(right, noon()); err != nil {
		t.Fatalf("the forger does not know how it is done: %v", err)
	}
	for name, token := range map[string]string{
		"another algorithm":  forge(t, jwt.SigningMethodHS512, purpose, claims(func(jwt.MapClaims) {})),
		"another key":        forge(t, jwt.SigningMethodHS256, "something else", claims(func(jwt.MapClaims) {})),
		"another audience":   forge(t, jwt.SigningMethodHS256, purpose, claims(func(c jwt.MapClaims) { c["aud"] = "something else" })),
		"no audience":        forge(t, jwt.SigningMethodHS256, purpose, claims(func(c jwt.MapClaims) { delete(c, "aud") })),
		"for ever":           forge(t, jwt.SigningMethodHS256, purpose, claims(func(c jwt.MapClaims) { delete(c, "exp") })),
		"not yet":            forge(t, jwt.SigningMethodHS256, purpose, claims(func(c jwt.MapClaims) { c["nbf"] = noon().Add(time.Second).Unix() })),
		"longer than it may": forge(t, jwt.SigningMethodHS256, purpose, claims(func(c jwt.MapClaims) { c["asker"] = strings.Repeat("x", 2000) })),
	} {
		if got, err := sealer.Open(token, noon()); guard.KindOf(err) != guard.Forbidden {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Whatever a person may type about five keys fits, and what does not fit is said to be too much.
func TestTheSizeOfASeal(t *testing.T) {
	t.Parallel()
	sealer := newSealer(t, signed)
	large := pending()
	large.Request.Keys = nil
	for i := range 5 {
		large.Request.Keys = append(large.Request.Keys, strings.Repeat("x", 91)+fmt.Sprint(i))
	}
	large.Request.Reason = strings.Repeat("w", 300)
	large.Request.Override = guard.Overridable()
	token, err := sealer.Seal(large)
	if err != nil || len(token) > 2000 {
		t.Errorf("%d characters, %v", len(token), err)
	}
	for i := range 10 {
		large.Request.Keys = append(large.Request.Keys, strings.Repeat("y", 91)+fmt.Sprint(i))
	}
	if _, err := sealer.Seal(large); guard.KindOf(err) != guard.Invalid {
		t.Errorf("fifteen keys: %v", err)
	}
}

// A question about no key in particular would be one about all.
func TestWhatIsNotSealed(t *testing.T) {
	t.Parallel()
	sealer := newSealer(t, signed)
	for name, change := range map[string]func(*chatops.Pending){
		"no keys":   func(p *chatops.Pending) { p.Request.Keys = nil },
		"no id":     func(p *chatops.Pending) { p.ID = "" },
		"a dry run": func(p *chatops.Pending) { p.Request.DryRun = true },
	} {
		p := pending()
		change(&p)
		if token, err := sealer.Seal(p); err == nil {
			t.Errorf("%s: %s", name, token)
		}
	}
	for _, secrets := range [][]guard.Secret{nil, {guard.NewSecret("")}, {guard.NewSecret(signed), guard.NewSecret("")}} {
		if _, err := chatops.NewSealer(secrets); guard.KindOf(err) != guard.Invalid {
			t.Errorf("%d secrets: %v", len(secrets), err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	sealer, err := chatops.NewSealer([]guard.Secret{guard.NewSecret(signed)})
	if err != nil {
		f.Fatal(err)
	}
	genuine, err := sealer.Seal(pending())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(genuine)
	f.Add(strings.Replace(genuine, ".", "..", 1))
	f.Add("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := sealer.Open(token, noon()); err == nil && token != genuine {
			t.Errorf("%q opens to %+v", token, got)
		}
	})
}
