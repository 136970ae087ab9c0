package app_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"

	"keyreeve/pkg/app"
)

const signing, bot = "0123456789abcdef", "xoxb-of-the-test"

func TestTheFunctionsForSlackStart(t *testing.T) {
	for name, test := range map[string]struct {
		start   func(context.Context) (lambda.Handler, error)
		changes map[string]string
	}{
		"chatops": {app.NewChatOps, map[string]string{"KEYREEVE_SLACK_SIGNING_SECRET": signing}},
		"chatops with all of it": {app.NewChatOps, map[string]string{
			"KEYREEVE_SLACK_SIGNING_SECRET": signing + ", fedcba9876543210", "KEYREEVE_SLACK_BOT_TOKEN": bot,
			"KEYREEVE_SLACK_COMMAND_CHANNELS": "C0123, D0456", "KEYREEVE_SLACK_NOTICE_CHANNEL": "C0123", "KEYREEVE_APPROVERS": "self",
		}},
		"notify":                {app.NewNotify, map[string]string{"IONOS_TOKEN": "", "KEYREEVE_BUS": ""}},
		"notify with a token":   {app.NewNotify, map[string]string{"KEYREEVE_SLACK_BOT_TOKEN": bot}},
		"notify with a channel": {app.NewNotify, map[string]string{"KEYREEVE_SLACK_BOT_TOKEN": bot, "KEYREEVE_SLACK_NOTICE_CHANNEL": "C0123"}},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, frontDoor(t, test.changes))
			if _, err := test.start(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheFunctionsForSlackNameWhatIsWrong(t *testing.T) {
	const canary = "canary-77d0"
	for name, test := range map[string]struct {
		start   func(context.Context) (lambda.Handler, error)
		changes map[string]string
		want    []string
	}{
		"no signing secret":      {app.NewChatOps, nil, []string{"KEYREEVE_SLACK_SIGNING_SECRET is missing"}},
		"a short secret":         {app.NewChatOps, map[string]string{"KEYREEVE_SLACK_SIGNING_SECRET": canary}, []string{"KEYREEVE_SLACK_SIGNING_SECRET: ", "item 1"}},
		"an empty second secret": {app.NewChatOps, map[string]string{"KEYREEVE_SLACK_SIGNING_SECRET": canary + canary + ","}, []string{"KEYREEVE_SLACK_SIGNING_SECRET: ", "item 2"}},
		"a channel's name":       {app.NewChatOps, map[string]string{"KEYREEVE_SLACK_COMMAND_CHANNELS": "C0123,#keys"}, []string{"KEYREEVE_SLACK_COMMAND_CHANNELS", "item 2"}},
		"somebody who approves":  {app.NewChatOps, map[string]string{"KEYREEVE_APPROVERS": "alice@example.com"}, []string{"KEYREEVE_APPROVERS must be self, or nothing"}},
		"no bus, and no IONOS":   {app.NewChatOps, map[string]string{"KEYREEVE_BUS": "", "IONOS_TOKEN": ""}, []string{"KEYREEVE_BUS is missing", "IONOS_TOKEN", "KEYREEVE_SLACK_SIGNING_SECRET is missing"}},
		"notices and no token":   {app.NewNotify, map[string]string{"KEYREEVE_SLACK_NOTICE_CHANNEL": "C0123"}, []string{"KEYREEVE_SLACK_BOT_TOKEN is missing, for KEYREEVE_SLACK_NOTICE_CHANNEL"}},
		"notices for a name":     {app.NewNotify, map[string]string{"KEYREEVE_SLACK_NOTICE_CHANNEL": "#keys"}, []string{"KEYREEVE_SLACK_NOTICE_CHANNEL must be the id of one channel"}},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, frontDoor(t, test.changes))
			_, err := test.start(t.Context())
			if err == nil {
				t.Fatal("it starts")
			}
			for _, named := range test.want {
				if !strings.Contains(err.Error(), named) {
					t.Errorf("%q is not named in:\n%v", named, err)
				}
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the message repeats a secret:\n%v", err)
			}
		})
	}
}
