package app_test

import (
	"net/url"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

// TestTheSlackAppFitsTheTemplate holds the manifest of the Slack app against the routes, and against what the functions
// ask Slack for.
func TestTheSlackAppFitsTheTemplate(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(root + "functions/chatops/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Features struct {
			Commands []struct {
				Command string `yaml:"command"`
				URL     string `yaml:"url"`
				// Escape makes of @alice who she is.
				Escape bool `yaml:"should_escape"`
			} `yaml:"slash_commands"`
		} `yaml:"features"`
		OAuth struct {
			Scopes map[string][]string `yaml:"scopes"`
		} `yaml:"oauth_config"`
		Settings struct {
			Interactivity struct {
				Enabled bool   `yaml:"is_enabled"`
				URL     string `yaml:"request_url"`
			} `yaml:"interactivity"`
		} `yaml:"settings"`
	}
	if err := yaml.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	scopes := map[string][]string{"bot": {"commands", "chat:write", "users:read", "users:read.email"}}
	if diff := cmp.Diff(scopes, manifest.OAuth.Scopes); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	commands, buttons := manifest.Features.Commands, manifest.Settings.Interactivity
	if len(commands) != 1 || commands[0].Command != "/keys" || !commands[0].Escape || !buttons.Enabled {
		t.Fatalf("commands %+v, buttons %+v; want /keys, escaped, and buttons", commands, buttons)
	}
	routes := ofType[route](t, deploy(t, slackOn()), "AWS::ApiGatewayV2::Route")
	for resource, address := range map[string]string{"SlackCommandRoute": commands[0].URL, "SlackActionRoute": buttons.URL} {
		called, err := url.Parse(address)
		if err != nil || called.Scheme != "https" || routes[resource].RouteKey != "POST "+called.Path {
			t.Errorf("%s is %q, and the app calls %s (%v)", resource, routes[resource].RouteKey, address, err)
		}
	}
}
