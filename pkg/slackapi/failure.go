package slackapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"keyreeve/pkg/guard"
)

const (
	tooMany  = "it allows only so many calls a minute"
	setUpBot = "Set KEYREEVE_SLACK_BOT_TOKEN to the bot token (xoxb-…) of the Slack app as it is installed in the workspace."
)

// failed is what it means that Slack did not do what it was asked to.
func failed(does string, err error) *guard.Error {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused.explain(does)
	}
	if cause := broken(err); cause != nil {
		return &guard.Error{
			Kind: guard.Upstream, Message: "Slack could not be reached or broke off, and did not " + does + ".",
			Remedy: "Try again later; if it stays so, check the network of the function.", Err: cause,
		}
	}
	return unreadable(does, fmt.Errorf("failed with a %T", unwrapped(err)))
}

// unwrapped leaves out the address that was called.
func unwrapped(err error) error {
	if wrapper, ok := errors.AsType[*url.Error](err); ok {
		return wrapper.Err
	}
	return err
}

// broken returns what may be logged of an error that kept an answer from coming, nil where it is none: errors of other
// types may quote the answer, or the address that was called.
func broken(err error) error {
	if network, ok := errors.AsType[*net.OpError](err); ok {
		return network
	}
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificate
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return errors.New("no answer in time")
	}
	for _, known := range []error{context.Canceled, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}

// unreadable is an answer that cannot be what Slack meant.
func unreadable(does string, cause error) *guard.Error {
	return &guard.Error{
		Kind: guard.Upstream, Message: "Slack was asked to " + does + ", and its answer cannot be understood.",
		Remedy: "Try again later.", Err: cause,
	}
}

// explain says in words for people what was refused.
func (r *refusal) explain(does string) *guard.Error {
	kind, why, remedy := r.reason()
	return &guard.Error{Kind: kind, Message: "Slack did not " + does + ": " + why + ".", Remedy: remedy, RetryAfter: r.wait, Err: r}
}

// reason returns why Slack refused, to complete a sentence, and what would help.
func (r *refusal) reason() (kind guard.Kind, why, remedy string) {
	switch r.code {
	case "ratelimited", "rate_limited":
		return guard.Throttled, tooMany, r.patience()
	case "missing_scope":
		return guard.Credentials, "the app lacks the scope " + cmp.Or(r.needed, "that this takes"),
			"Add the scope to the Slack app, install the app again, and check that KEYREEVE_SLACK_BOT_TOKEN is the token it has then."
	case "not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type", "no_permission",
		"org_login_required", "ekm_access_denied", "access_denied", "team_access_not_granted", "enterprise_is_restricted":
		return guard.Credentials, "it does not accept Keyreeve's bot token", setUpBot
	case "user_not_found", "users_not_found", "user_not_visible":
		return guard.NotFound, "it knows no such user", "Check the user, and that Slack has the same e-mail address."
	case "channel_not_found", "not_in_channel":
		return guard.NotFound, "there is no such channel, or the app is not in it", "Check the id of the channel, and invite the app: /invite @ and its name."
	case "is_archived":
		return guard.NotFound, "the channel is archived", "Give the id of another channel."
	case "used_url", "expired_url":
		return guard.NotFound, "it takes five answers within half an hour, and the address for them is used up or has expired", "Ask again in Slack."
	case "invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text", "invalid_payload":
		return guard.Internal, "it does not take the message as Keyreeve wrote it", "Look in the function's log."
	}
	if r.status == http.StatusTooManyRequests {
		return guard.Throttled, tooMany, r.patience()
	}
	return guard.Upstream, fmt.Sprintf("it failed (status %d)", r.status), "Try again later; the function's log has Slack's reason."
}

func (r *refusal) patience() string {
	if r.wait == 0 {
		return "Try again in a minute."
	}
	return fmt.Sprintf("Try again in %.0f seconds.", r.wait.Seconds())
}
