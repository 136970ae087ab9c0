package signature_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"pgregory.net/rapid"

	"keyreeve/pkg/signature"
	"keyreeve/pkg/signature/signaturetest"
)

// drawID draws an id that a sender may give a message.
func drawID(t *rapid.T, label string) string {
	return rapid.StringMatching(`[!-+/-~-]{1,40}`).Draw(t, label)
}

// drawBody draws a body, of texts in which parts of a message could be mistaken for each other, too.
func drawBody(t *rapid.T, label string) []byte {
	return rapid.OneOf(
		rapid.SliceOfN(rapid.Byte(), 0, 60),
		rapid.Map(rapid.StringMatching(`[0-9.:v{}a-z]{0,30}`), func(s string) []byte { return []byte(s) }),
	).Draw(t, label)
}

// TestOneByteDecides changes any byte of what a sender vouches for, or of how.
func TestOneByteDecides(t *testing.T) {
	for name, s := range senders() {
		t.Run(name, rapid.MakeCheck(func(rt *rapid.T) {
			at := now().Add(-time.Duration(rapid.Int64Range(-int64(s.future/time.Second), int64(s.past/time.Second)).Draw(rt, "seconds ago")) * time.Second)
			id, body := drawID(rt, "id"), drawBody(rt, "body")
			header := s.signAs(id, at, body)
			v := newVerifier(rt, s.profile, now(), s.secrets[:]...)
			genuine, err := v.Verify(header, body)
			if err != nil {
				rt.Fatalf("refused: %v", err)
			}
			want := signature.Signed{Digest: genuine.Digest}
			if s.timed() {
				want.At = at
			}
			if s.id != "" {
				want.ID = id
			}
			if diff := cmp.Diff(genuine, want); diff != "" {
				rt.Fatalf("signed (-got +want):\n%s", diff)
			}

			parts := []string{"body", s.signature}
			if s.time != "" {
				parts = append(parts, s.time)
			}
			if s.id != "" {
				parts = append(parts, s.id)
			}
			part := rapid.SampledFrom(parts).Draw(rt, "part")
			if part == "body" {
				changed := drawChange(rt, body)
				got, err := v.Verify(header, changed)
				if s.signs() {
					mustRefuse(rt, got, err, header, s.secrets[:]...)
				} else if err != nil || got.Digest == genuine.Digest {
					rt.Fatalf("another body counts as %+v, %v", got, err)
				}
				return
			}
			changed := string(drawChange(rt, []byte(header.Get(part))))
			if s.profile == "scim" && strings.HasSuffix(changed, " "+s.secrets[0]) && strings.EqualFold(changed[:len("Bearer")], "Bearer") {
				return // any case will do
			}
			header.Set(part, changed)
			got, err := v.Verify(header, body)
			mustRefuse(rt, got, err, header, s.secrets[:]...)
		}))
	}
}

// drawChange puts another byte in the place of one, takes one away or puts one more in.
func drawChange(t *rapid.T, old []byte) []byte {
	i := rapid.IntRange(0, len(old)).Draw(t, "place")
	b := rapid.Byte().Draw(t, "byte")
	var end []byte
	if i < len(old) {
		switch end = old[i+1:]; rapid.IntRange(0, 2).Draw(t, "change") {
		case 0:
			if b == old[i] {
				b++
			}
		case 1:
			return slices.Concat(old[:i], end)
		default:
			end = old[i:]
		}
	}
	return slices.Concat(old[:i], []byte{b}, end)
}

// TestDigest compares messages of all senders: two digests are the same if, and only if, one message may be the other
// again. Some of the texts could be mistaken for each other where two parts of a message meet.
func TestDigest(t *testing.T) {
	type message struct{ profile, id, time, body string }
	digests, messages := map[message]string{}, map[string]message{}
	for _, s := range senders() {
		for _, at := range []time.Time{now(), now().Add(time.Second)} {
			for _, id := range []string{"1", "12", "2"} {
				for _, body := range []string{"", "1", ".1", "2.1", "{id}"} {
					signed, err := newVerifier(t, s.profile, now(), s.secrets[:]...).Verify(s.signAs(id, at, []byte(body)), []byte(body))
					if err != nil {
						t.Fatal(err)
					}
					m := message{profile: s.profile, body: body}
					switch {
					case s.id != "":
						m.id = id
					case s.timed():
						m.time = s.write(at)
					}
					if was, ok := digests[m]; ok && was != signed.Digest {
						t.Errorf("%+v has two digests", m)
					}
					if was, ok := messages[signed.Digest]; ok && was != m {
						t.Errorf("%+v and %+v have one digest", m, was)
					}
					digests[m], messages[signed.Digest] = signed.Digest, m
				}
			}
		}
	}
}

// TestStandardWebhooksLibrary holds both sides against the library of those who wrote the standard.
func TestStandardWebhooksLibrary(t *testing.T) {
	s := senders()["standard"]
	library, err := standardwebhooks.NewWebhook(s.secrets[0])
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, "standard", now(), s.secrets[:]...)
	rapid.Check(t, func(rt *rapid.T) {
		id, body := drawID(rt, "id"), drawBody(rt, "body")
		signed, err := library.Sign(id, now(), body)
		if err != nil {
			rt.Fatal(err)
		}
		header := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {s.write(now())}, "Webhook-Signature": {signed}}
		if _, err := v.Verify(header, body); err != nil {
			rt.Errorf("refused what the library signs: %v", err)
		}
		if err := library.VerifyIgnoringTimestamp(body, signaturetest.Sign("standard", s.secrets[0], now(), id, body)); err != nil {
			rt.Errorf("the library refuses what the tests sign: %v", err)
		}
	})
}
