package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	got, err := readOptions([]string{
		"PATH=/bin", "HOME=/home/dev", "EDITOR=vi", "AWS_PROFILE=production", "PORT=0", "LOCAL_RETRY=50ms", "LOCAL_WINDOW=10s", "LOCAL_LATENCY=2s",
		"KEYREEVE_OPERATORS=*@example.com=x", "KEYREEVE_DRY_RUN=", "IONOS_TOKEN=secret", "KEYREEVE_OBJECT_STORAGE_ENDPOINT=http://s3",
		"KEYREEVE_LEDGER=dynamodb:keys", "AWS_ENDPOINT_URL_DYNAMODB=http://dynamodb",
	})
	want := options{
		root: ".", port: "0", retry: 50 * time.Millisecond, window: 10 * time.Second, latency: 2 * time.Second,
		system:   map[string]string{"PATH": "/bin", "HOME": "/home/dev"},
		keyreeve: map[string]string{"KEYREEVE_OPERATORS": "*@example.com=x", "KEYREEVE_LEDGER": "dynamodb:keys"},
		ionos:    map[string]string{"IONOS_TOKEN": "secret", "KEYREEVE_OBJECT_STORAGE_ENDPOINT": "http://s3"},
		dynamodb: "http://dynamodb",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(options{})); diff != "" || err != nil {
		t.Errorf("options (-want +got), %v:\n%s", err, diff)
	}
	if _, err := readOptions([]string{"LOCAL_RETRY=soon", "LOCAL_WINDOW=10", "LOCAL_LATENCY=-1s", "LOCAL_PORT=1", "KEYREEVE_LEDGER=dynamodb:keys"}); err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("got %v, want all five problems", err)
	}
}

func TestRealContract(t *testing.T) {
	t.Parallel()
	for variable, want := range map[string]bool{
		"IONOS_TOKEN=x": true, "IONOS_USERNAME=x": true, "IONOS_TOKEN=": false, "IONOS_API_URL=http://x": false, "PATH=x": false,
	} {
		o, err := readOptions([]string{variable})
		if err != nil || o.realContract() != want {
			t.Errorf("%s: a real contract is %v, want %v, %v", variable, o.realContract(), want, err)
		}
	}
}
