package trigger

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

// route is a method on a path and what it stands for.
type route struct {
	method string
	// action is empty where the route only reads.
	action guard.Action
	user   string
	// keys is nil where the route means all keys of the user.
	keys []string
}

// routesAt returns what can be done at a path, for all functions together.
//
// Each segment is decoded by itself, so that a slash in an id, written %2F, does not start a new segment. (An HTTP
// API decodes the path once before it hands it over, a function URL does not; behind an HTTP API such a slash is
// written %252F.) An empty segment is no segment: an empty key must not turn into all keys.
func routesAt(rawPath, stage string) ([]route, error) {
	if rest, ok := strings.CutPrefix(rawPath, "/"+stage+"/"); ok && strings.HasPrefix(rest, "v1/") {
		rawPath = "/" + rest
	}
	segments := strings.Split(rawPath, "/")
	for i, raw := range segments {
		decoded, err := url.PathUnescape(raw)
		if err != nil {
			return nil, &guard.Error{
				Kind:    guard.Invalid,
				Message: "The path is not percent-encoded correctly.",
				Remedy:  "Percent-encode the user and the key by themselves, each as one path segment.",
				Err:     err,
			}
		}
		segments[i] = decoded
	}
	const userAt, restAt = 3, 5
	if len(segments) < restAt || slices.Contains(segments[1:], "") ||
		!slices.Equal(segments[:userAt], []string{"", "v1", "users"}) || segments[userAt+1] != "keys" {
		return nil, nil
	}
	return keyRoutes(segments[userAt], segments[restAt:]), nil
}

// keyRoutes returns the routes below /v1/users/{user}/keys.
func keyRoutes(user string, rest []string) []route {
	switch len(rest) {
	case 0:
		return []route{
			{method: http.MethodGet, user: user},
			{method: http.MethodDelete, action: guard.Delete, user: user},
		}
	case 1:
		routes := []route{{method: http.MethodDelete, action: guard.Delete, user: user, keys: rest}}
		if action, ok := posted(rest[0]); ok {
			routes = append(routes, route{method: http.MethodPost, action: action, user: user})
		}
		return routes
	case 2:
		if action, ok := posted(rest[1]); ok {
			return []route{{method: http.MethodPost, action: action, user: user, keys: rest[:1]}}
		}
	}
	return nil
}

// posted returns the action that a path ends in. A deletion is a method of its own.
func posted(segment string) (guard.Action, bool) {
	action := guard.Action(segment)
	return action, action == guard.Activate || action == guard.Deactivate
}

// choose picks the route with the method, if it is one of the function's own.
func choose(routes []route, method string, own guard.Action) (route, error) {
	ours := func(r route) bool { return r.action == own }
	at := slices.IndexFunc(routes, func(r route) bool { return r.method == method })
	switch {
	case at >= 0 && ours(routes[at]):
		return routes[at], nil
	case at < 0 && slices.ContainsFunc(routes, ours):
		return route{}, &guard.Error{Kind: guard.NotAllowed, Message: "This path does not take the method " + edge.Clip(method) + "."}
	default:
		return route{}, &guard.Error{
			Kind:    guard.NotFound,
			Message: "There is nothing at this path.",
			Remedy:  "The paths are /v1/users/{user}/keys and those below it; check that the route leads to the function of its action.",
		}
	}
}

// allow lists the methods of the routes, as the Allow header does.
func allow(routes []route) string {
	methods := make([]string, len(routes))
	for i, r := range routes {
		methods[i] = r.method
	}
	return strings.Join(methods, ", ")
}
