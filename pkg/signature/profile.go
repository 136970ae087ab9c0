package signature

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"time"
)

// profile is how one kind of sender vouches for a message.
type profile struct {
	name string
	// headers are the names that the sender may use. The first set of which a header is there counts, alone.
	headers []headers
	// split takes the header with the signature apart.
	split func(value string) (time string, signatures []string, err error)
	// signed is a template of what is signed, of {id}, {time} and {body}. Where it is empty the secret itself is sent.
	signed string
	// repeated is a template of what a repeat of a message has in common with it, and no other message has.
	repeated string
	// instant is the time that a number stands for; nil where no time is signed.
	instant func(int64) time.Time
	// past and future are how far the signed time may lie from this clock.
	past, future time.Duration
	schemes      []scheme
}

// headers are names of headers; empty where the profile has none of its own for it.
type headers struct{ id, time, signature string }

// profiles returns the table, as the senders document themselves. Where they leave it open, hex is in lower case and
// base64 has its padding, which is how they send it.
func profiles() []profile {
	const minutes = time.Minute
	return []profile{
		{
			name:    "slack",
			headers: []headers{{time: "X-Slack-Request-Timestamp", signature: "X-Slack-Signature"}},
			split:   whole, signed: "v0:{time}:{body}", repeated: "v0:{time}:{body}",
			instant: seconds, past: 5 * minutes, future: 5 * minutes,
			schemes: []scheme{{decode: plain, check: mac(sha256.New, "v0=", hex.EncodeToString)}},
		},
		{
			// Standard Webhooks 1.0.0, and Svix, which it comes from.
			name: "standard",
			headers: []headers{
				{id: "Webhook-Id", time: "Webhook-Timestamp", signature: "Webhook-Signature"},
				{id: "Svix-Id", time: "Svix-Timestamp", signature: "Svix-Signature"},
			},
			split: list, signed: "{id}.{time}.{body}", repeated: "{id}.{body}",
			instant: seconds, past: 5 * minutes, future: 5 * minutes,
			schemes: []scheme{
				{prefix: "whsec_", decode: encoded, check: mac(sha256.New, "v1,", base64.StdEncoding.EncodeToString)},
				{prefix: "whpk_", decode: publicKey, check: ed25519Of("v1a,")},
			},
		},
		{
			name:    "workos",
			headers: []headers{{signature: "WorkOS-Signature"}},
			split:   dated, signed: "{time}.{body}", repeated: "{time}.{body}",
			instant: time.UnixMilli, past: 3 * minutes, future: 3 * minutes,
			schemes: []scheme{{decode: plain, check: mac(sha256.New, "v1=", hex.EncodeToString)}},
		},
		{
			name:    "bamboohr",
			headers: []headers{{time: "X-BambooHR-Timestamp", signature: "X-BambooHR-Signature"}},
			split:   whole, signed: "{body}{time}", repeated: "{body}{time}",
			// The last try comes 80 minutes after the first and may carry its time.
			instant: seconds, past: 120 * minutes, future: 5 * minutes,
			schemes: []scheme{{decode: plain, check: mac(sha256.New, "", hex.EncodeToString)}},
		},
		{
			name:    "github",
			headers: []headers{{signature: "X-Hub-Signature-256"}},
			split:   whole, signed: "{body}", repeated: "{body}",
			schemes: []scheme{{decode: plain, check: mac(sha256.New, "sha256=", hex.EncodeToString)}},
		},
		{
			name:    "hibob",
			headers: []headers{{signature: "Bob-Signature"}},
			split:   whole, signed: "{body}", repeated: "{body}",
			schemes: []scheme{{decode: plain, check: mac(sha512.New, "", base64.StdEncoding.EncodeToString)}},
		},
		{
			name:    "okta",
			headers: []headers{{signature: "Authorization"}},
			split:   whole, repeated: "{body}",
			schemes: []scheme{{decode: plain, check: same("")}},
		},
		{
			name:    "scim",
			headers: []headers{{signature: "Authorization"}},
			split:   whole, repeated: "{body}",
			schemes: []scheme{{decode: plain, check: same("Bearer ")}},
		},
	}
}

func seconds(n int64) time.Time { return time.Unix(n, 0) }
