package ionos

import (
	"net"
	"net/http"
	"time"
)

// maxAnswer bounds the body of an answer, in bytes.
const maxAnswer = 16 << 20

// transport corrects what the SDK asks of a connection.
type transport struct {
	base     http.RoundTripper
	contract string
}

func newTransport(cfg Config) *transport {
	base := cfg.Transport
	if base == nil {
		base = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
			TLSHandshakeTimeout:   3 * time.Second,
			ResponseHeaderTimeout: 8 * time.Second,
			IdleConnTimeout:       time.Minute,
			MaxIdleConnsPerHost:   16,
			ForceAttemptHTTP2:     true,
		}
	}
	return &transport{base: base, contract: cfg.ContractNumber}
}

// RoundTrip sends the request on a connection that is kept, where the SDK asks for a new one each time. The
// contract is the configured one, where the SDK takes it from the environment. The answer's body fails with a
// [http.MaxBytesError] where it is too long.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Close = false
	req.Header.Del("X-Contract-Number")
	if t.contract != "" {
		req.Header.Set("X-Contract-Number", t.contract)
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	return resp, nil
}
