package engine

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// EngineRoute is a Dynamo worker's /engine/server_info on its system port. It
// exists only where the operator opened it, and is asked only where it was
// configured: under /engine/ a GET can do as much as a POST.
type EngineRoute struct {
	c     *client
	route Route
}

// infoPath are the paths an operator may have given the route: a plain name
// that ends in "info", outside control/ and update/.
var infoPath = regexp.MustCompile(`^/engine/(?:[A-Za-z0-9][A-Za-z0-9._-]*/)*[A-Za-z0-9._-]*info$`)

// NewEngineRoute prepares to ask the worker whose system port has the given
// URL; it sends nothing yet. An empty path means /engine/server_info.
func NewEngineRoute(url, path string, cred Credentials, transport http.RoundTripper) (*EngineRoute, error) {
	c, err := newClient(url, cred, transport)
	if err != nil {
		return nil, err
	}
	r := dialects("engine")[0]
	if path != "" {
		r.Path = path
	}
	if !infoPath.MatchString(r.Path) || strings.Contains(r.Path, "/control/") || strings.Contains(r.Path, "/update/") || strings.Contains(r.Path, "..") {
		return nil, fmt.Errorf("read the engine route %q: not of the form /engine/server_info; hint: only routes that give information are asked", r.Path)
	}
	return &EngineRoute{c: c, route: r}, nil
}

// Ask reads the worker's flags; it costs a round trip to each scheduler, so
// ask once, or no more often than Routes' interval says.
func (e *EngineRoute) Ask(ctx context.Context) (*ServerInfo, error) {
	body, _, err := e.c.get(ctx, e.route, e.route.Timeout)
	if err == nil {
		var i *ServerInfo
		if i, err = DecodeServerInfo(body); err == nil {
			return i, nil
		}
	}
	if unknownRoute(err, e.route) {
		err = fmt.Errorf("%w; hint: open it with --engine-route server_info=get_server_info, unless DYN_ENGINE_ROUTES_ALLOW or DYN_ENGINE_ROUTES_DENY hides it", err)
	}
	return nil, fmt.Errorf("ask %s%s: %w", e.c.base, e.route.Path, err)
}
