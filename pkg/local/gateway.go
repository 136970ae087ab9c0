package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// gatewayPatience is how long API Gateway waits for a function.
const gatewayPatience = 30 * time.Second

// maxBody is what API Gateway takes: 10 MB.
const maxBody = 10 << 20

// route is one of the HTTP API's.
type route struct {
	// key is the route as the template has it: "GET /v1/users/{user}/keys".
	key      string
	method   string
	segments []string
	function string
	// iam: the caller has to be known to AWS.
	iam bool
}

func parseRoute(key string) (route, error) {
	method, path, ok := strings.Cut(key, " ")
	if !ok || !strings.HasPrefix(path, "/") {
		return route{}, fmt.Errorf("the route key %q is not METHOD /path", key)
	}
	return route{key: key, method: method, segments: splitPath(path)}, nil
}

func splitPath(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

// match returns the path parameters of a request that the route is for.
func (r route) match(method string, segments []string) (map[string]string, bool) {
	if r.method != "ANY" && r.method != method {
		return nil, false
	}
	parameters := map[string]string{}
	for i, want := range r.segments {
		name, variable := strings.CutPrefix(strings.TrimSuffix(want, "}"), "{")
		greedy := variable && strings.HasSuffix(name, "+")
		switch {
		case i >= len(segments) || segments[i] == "":
			return nil, false
		case greedy:
			parameters[strings.TrimSuffix(name, "+")] = strings.Join(segments[i:], "/")
			return parameters, true
		case variable:
			parameters[name] = segments[i]
		case want != segments[i]:
			return nil, false
		}
	}
	return parameters, len(segments) == len(r.segments)
}

// sortRoutes puts the more specific of two routes first, as API Gateway prefers it: literal before variable before
// greedy, a method before ANY.
func sortRoutes(routes []route) {
	slices.SortStableFunc(routes, func(a, b route) int { return cmp.Compare(a.rank(), b.rank()) })
}

func (r route) rank() string {
	var rank strings.Builder
	for _, segment := range r.segments {
		switch {
		case strings.HasSuffix(segment, "+}"):
			rank.WriteByte('3')
		case strings.HasPrefix(segment, "{"):
			rank.WriteByte('2')
		default:
			rank.WriteByte('1')
		}
	}
	if r.method == "ANY" {
		rank.WriteByte('9')
	}
	return rank.String()
}

// caller returns whom a call on the route claims to come from; "" where nobody is asked. There the Authorization header
// may hold the secret of a sender, and is nothing but a header.
func (r route) caller(call *http.Request) string {
	if !r.iam {
		return ""
	}
	return callerName(call.Header.Get("Authorization"))
}

// asWhom tells people who called, where that is asked.
func (r route) asWhom(call *http.Request) string {
	if !r.iam {
		return ""
	}
	return " as " + cmp.Or(r.caller(call), "nobody")
}

// gateway is the HTTP API: it turns calls into events of payload format 2.0 and hands them to functions.
type gateway struct {
	routes  []route
	invoke  func(ctx context.Context, function string, payload []byte) ([]byte, error)
	console *console
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	// API Gateway undoes the escapes of the path before anything else, and loses what then looks like a query.
	path, _, _ := strings.Cut(r.URL.Path, "?")
	for _, route := range g.routes {
		if parameters, ok := route.match(r.Method, splitPath(path)); ok {
			status := g.serve(w, r, route, path, parameters)
			g.console.step("%s %s%s → %s → %d in %v", r.Method, r.URL.Path, route.asWhom(r), route.function, status, since(start))
			return
		}
	}
	status := answerMessage(w, http.StatusNotFound, "Not Found")
	g.console.step("%s %s → no route → %d in %v", r.Method, r.URL.Path, status, since(start))
}

// serve answers a call on the route and returns the status.
func (g *gateway) serve(w http.ResponseWriter, r *http.Request, route route, path string, parameters map[string]string) (status int) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return answerMessage(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	}
	if err != nil {
		return answerMessage(w, http.StatusBadRequest, "Bad Request")
	}
	payload, err := json.Marshal(newHTTPEvent(r, route, path, parameters, body, time.Now()))
	if err != nil {
		return answerMessage(w, http.StatusInternalServerError, "Internal Server Error")
	}
	result, err := g.await(r.Context(), route.function, payload)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return answerMessage(w, http.StatusServiceUnavailable, "Service Unavailable")
	case err != nil:
		return answerMessage(w, http.StatusInternalServerError, "Internal Server Error")
	default:
		return answerHTTP(w, result)
	}
}

// await invokes the function and waits as long as API Gateway does. The function carries on when nobody waits any
// more, as on Lambda.
func (g *gateway) await(ctx context.Context, function string, payload []byte) ([]byte, error) {
	type outcome struct {
		result []byte
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := g.invoke(context.WithoutCancel(ctx), function, payload)
		done <- outcome{result, err}
	}()
	timer := time.NewTimer(gatewayPatience)
	defer timer.Stop()
	select {
	case o := <-done:
		return o.result, o.err
	case <-timer.C:
		return nil, context.DeadlineExceeded
	}
}

// newHTTPEvent is the event that API Gateway makes of a call.
func newHTTPEvent(r *http.Request, route route, path string, parameters map[string]string, body []byte, now time.Time) events.APIGatewayV2HTTPRequest {
	headers := map[string]string{"host": r.Host, "x-forwarded-proto": "http"}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	cookies := strings.FieldsFunc(headers["cookie"], func(c rune) bool { return c == ';' || c == ' ' })
	delete(headers, "cookie")
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	headers["x-forwarded-for"] = host

	event := events.APIGatewayV2HTTPRequest{
		Version:               "2.0",
		RouteKey:              route.key,
		RawPath:               path,
		RawQueryString:        r.URL.RawQuery,
		Cookies:               cookies,
		Headers:               headers,
		QueryStringParameters: joinValues(r.URL.Query()),
		PathParameters:        parameters,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey:   route.key,
			AccountID:  accountID,
			Stage:      "$default",
			RequestID:  newID(),
			APIID:      "local",
			DomainName: r.Host,
			Time:       now.UTC().Format("02/Jan/2006:15:04:05 -0700"),
			TimeEpoch:  now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: path, Protocol: r.Proto, SourceIP: host, UserAgent: r.UserAgent(),
			},
		},
	}
	if name := route.caller(r); name != "" {
		event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{IAM: iamCaller(name)}
	}
	if isText(r.Header.Get("Content-Type")) {
		// What of it is no UTF-8 cannot be said in JSON, and becomes U+FFFD when the event is encoded: who signed the
		// bytes that were sent did not sign what the function gets.
		event.Body = string(body)
	} else if len(body) > 0 {
		event.Body, event.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return event
}

func joinValues(query url.Values) map[string]string {
	joined := map[string]string{}
	for name, values := range query {
		joined[name] = strings.Join(values, ",")
	}
	return joined
}

// isText reports whether API Gateway hands a body of the content type on as it is. AWS does not document which types
// those are: these are the ones that HTTP APIs were seen to take for text. Forms, application/scim+json,
// application/cloudevents+json and bodies without a type are not among them.
func isText(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	return strings.HasPrefix(media, "text/") || slices.Contains([]string{"application/json", "application/javascript", "application/xml"}, media)
}

// callerName returns whom a call claims to come from: the name of basic authentication, or the access key id of an
// AWS signature. Neither is verified.
func callerName(authorization string) string {
	scheme, rest, _ := strings.Cut(authorization, " ")
	switch {
	case strings.EqualFold(scheme, "Basic"):
		decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
		if err != nil {
			return ""
		}
		name, _, _ := strings.Cut(string(decoded), ":")
		return name
	case strings.HasPrefix(scheme, "AWS4-"):
		_, credential, _ := strings.Cut(rest, "Credential=")
		name, _, _ := strings.Cut(credential, "/")
		return name
	default:
		return ""
	}
}

// iamCaller is a role's session of the name.
func iamCaller(name string) *events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription {
	const role = "AROALOCALLOCALLOCAL00"
	return &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{
		AccessKey: "ASIALOCALLOCALLOCAL0",
		AccountID: accountID,
		CallerID:  role + ":" + name,
		UserARN:   "arn:aws:sts::" + accountID + ":assumed-role/local/" + name,
		UserID:    role + ":" + name,
	}
}

// answerHTTP writes what a function returned: a response of payload format 2.0, or else any JSON as the body.
func answerHTTP(w http.ResponseWriter, result []byte) int {
	var response events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(result, &response); err != nil || response.StatusCode == 0 {
		response = events.APIGatewayV2HTTPResponse{StatusCode: http.StatusOK, Body: string(result)}
	}
	body, err := []byte(response.Body), error(nil)
	if response.IsBase64Encoded {
		body, err = base64.StdEncoding.DecodeString(response.Body)
	}
	if err != nil || response.StatusCode < 200 || response.StatusCode > 599 {
		return answerMessage(w, http.StatusInternalServerError, "Internal Server Error")
	}
	w.Header().Set("Content-Type", "application/json")
	for name, value := range response.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range response.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(response.StatusCode)
	_, _ = w.Write(body) // the caller hung up: there is nobody to tell
	return response.StatusCode
}

// answerMessage writes one of API Gateway's own answers and returns its status.
func answerMessage(w http.ResponseWriter, status int, message string) int {
	answerJSON(w, status, map[string]string{"message": message})
	return status
}
