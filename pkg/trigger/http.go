package trigger

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// endpoint serves the HTTP calls of one function: who calls, which route, what came of it.
type endpoint struct {
	// action is empty where the function only reads.
	action guard.Action
	// answer returns the status and the body of the response.
	answer func(context.Context, call) (int, any, error)
	logger *slog.Logger
}

// call is an HTTP call of a known caller on a route of this function.
type call struct {
	route

	actor guard.Actor
	id    string
	at    time.Time
	body  []byte
}

// serve always answers with a response: an error would reach an HTTP caller as an unexplained 502.
func (e endpoint) serve(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, edge.Patience)
	defer cancel()
	return edge.Encode(e.respond(ctx, payload))
}

func (e endpoint) respond(ctx context.Context, payload []byte) events.APIGatewayV2HTTPResponse {
	var event events.APIGatewayV2HTTPRequest
	if err := edge.DecodeEnvelope(payload, &event); err != nil {
		return e.refuse(ctx, "", err)
	}
	id := event.RequestContext.RequestID
	actor, err := actorOf(event.RequestContext.Authorizer)
	if err != nil {
		return e.refuse(ctx, id, err)
	}
	routes, err := routesAt(event.RawPath, event.RequestContext.Stage)
	if err != nil {
		return e.refuse(ctx, id, err)
	}
	chosen, err := choose(routes, event.RequestContext.HTTP.Method, e.action)
	if err != nil {
		refusal := e.refuse(ctx, id, err)
		if refusal.StatusCode == http.StatusMethodNotAllowed {
			refusal.Headers["Allow"] = allow(routes)
		}
		return refusal
	}
	body, err := bodyOf(event)
	if err != nil {
		return e.refuse(ctx, id, err)
	}
	c := call{route: chosen, actor: actor, id: id, body: body}
	if event.RequestContext.TimeEpoch != 0 {
		c.at = time.UnixMilli(event.RequestContext.TimeEpoch)
	}
	status, answer, err := e.answer(ctx, c)
	if err != nil {
		return e.refuse(ctx, id, err)
	}
	encoded, err := edge.Encode(answer)
	if err != nil {
		return e.refuse(ctx, id, err)
	}
	return events.APIGatewayV2HTTPResponse{StatusCode: status, Headers: edge.Headers("application/json"), Body: string(encoded)}
}

// refuse answers with err as a problem and logs it with its cause.
func (e endpoint) refuse(ctx context.Context, id string, err error) events.APIGatewayV2HTTPResponse {
	status, headers, body := edge.Problem(err)
	edge.LogRefusal(ctx, e.logger, status, err, slog.String("id", id))
	return events.APIGatewayV2HTTPResponse{StatusCode: status, Headers: headers, Body: string(body)}
}

// answer carries out the request that an HTTP call stands for.
func (h *Handler) answer(ctx context.Context, c call) (int, any, error) {
	var options struct {
		Reason      string       `json:"reason"`
		DryRun      bool         `json:"dryRun"`
		Override    []guard.Rule `json:"override"`
		Confirm     []string     `json:"confirm"`
		Offboarding bool         `json:"offboarding"`
	}
	if len(c.body) > 0 {
		form := edge.Form{Name: "The body", Members: "reason, dryRun, override, confirm and offboarding"}
		if err := edge.DecodeStrictly(c.body, &options, form); err != nil {
			return 0, nil, err
		}
	}
	request, err := h.complete(guard.Request{
		Action: c.action, User: c.user, Keys: c.keys, Actor: c.actor, Source: apiSource, ID: c.id, OccurredAt: c.at,
		Reason: options.Reason, DryRun: options.DryRun, Override: options.Override, Confirm: options.Confirm,
		Offboarding: options.Offboarding,
	})
	if err != nil {
		return 0, nil, err
	}
	result, err := h.carryOut(ctx, request)
	return statusOfResult(result), result, err
}

// statusOfResult is the worst of what became of the keys. A superseded key is no refusal: its newer state stands.
func statusOfResult(result guard.Result) int {
	switch {
	case result.Any(guard.Failed):
		return http.StatusBadGateway
	case result.Any(guard.Refused):
		return http.StatusConflict
	default:
		return http.StatusOK
	}
}

func bodyOf(event events.APIGatewayV2HTTPRequest) ([]byte, error) {
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(event.Body)
		if err != nil {
			return nil, &guard.Error{Kind: guard.Invalid, Message: "The body is not the base64 that it is said to be.", Err: err}
		}
		body = decoded
	}
	return body, edge.WithinLimit(body)
}

// actorOf names the caller that the gateway authenticated. Nothing of what the caller sent has a part in it.
func actorOf(authorizer *events.APIGatewayV2HTTPRequestContextAuthorizerDescription) (guard.Actor, error) {
	actor := guard.Actor{Kind: guard.Operator}
	switch {
	case authorizer == nil:
	case authorizer.JWT != nil:
		claims := authorizer.JWT.Claims
		actor.Name = claims["sub"]
		// Whether an issuer that leaves the second claim out verifies addresses is for whoever trusts it to know.
		if verified, said := claims["email_verified"]; (!said || verified == "true") && guard.IsEmail(claims["email"]) {
			actor.Email = claims["email"]
		}
	case authorizer.IAM != nil:
		actor.Name = authorizer.IAM.UserARN
		if session := sessionName(authorizer.IAM.UserARN); guard.IsEmail(session) {
			actor.Email = session
		}
	}
	if actor.Name == "" && actor.Email == "" {
		return guard.Actor{}, &guard.Error{
			Kind:    guard.Unauthenticated,
			Message: "Nobody vouches for the caller.",
			Remedy:  "Call with a JWT that has a sub or a verified email, or sign the call with IAM credentials.",
		}
	}
	return actor, nil
}

// sessionName returns the session of an assumed role, arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION, and nothing
// for other principals: the name of an IAM user is chosen by whoever made it.
func sessionName(arn string) string {
	const resourceAt = 5
	parts := strings.SplitN(arn, ":", resourceAt+1)
	if len(parts) <= resourceAt {
		return ""
	}
	resource := strings.Split(parts[resourceAt], "/")
	if len(resource) != 3 || resource[0] != "assumed-role" {
		return ""
	}
	return resource[2]
}
