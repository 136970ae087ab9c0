package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/trigger"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

const (
	root = "../../"
	// loginARN is where the IONOS credentials are kept.
	loginARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:keyreeve-AbCdEf"
)

func TestTemplateFunctionsHaveFoldersAndBuildTargets(t *testing.T) {
	folders, err := os.ReadDir(root + "functions")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, f := range folders {
		want = append(want, f.Name())
	}
	for id, f := range functions(t, deploy(t, slackOn())) {
		if f.Handler != "bootstrap" || f.Runtime != "provided.al2023" || !slices.Equal(f.Architectures, list{"arm64"}) {
			t.Errorf("%s does not run what the Makefile builds: %+v", id, f)
		}
		got = append(got, strings.ToLower(id))
		built := makeDryRun(t, "build-"+id, "ARTIFACTS_DIR=/artifacts")
		for _, part := range []string{"GOOS=linux GOARCH=arm64", "-o '/artifacts/bootstrap' ./functions/" + strings.ToLower(id) + "\n"} {
			if !strings.Contains(built, part) {
				t.Errorf("make build-%s lacks %q:\n%s", id, part, built)
			}
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("folders of functions (-) and functions of the template (+):\n%s", diff)
	}
}

// slackOn are the parameters that switch Slack on, and no others.
func slackOn() map[string]string { return map[string]string{"Slack": "on"} }

func TestTemplateEnvironment(t *testing.T) {
	want := map[string]string{
		"IONOS_API_URL":          "",
		"IONOS_CONTRACT_NUMBER":  "",
		"KEYREEVE_SECRETS":       loginARN,
		"KEYREEVE_LEDGER":        "dynamodb:Table",
		"KEYREEVE_BUS":           "Bus",
		"KEYREEVE_DRY_RUN":       "false",
		"KEYREEVE_DELETE_GRACE":  "720h",
		"KEYREEVE_EVENT_MAX_AGE": "24h",
		"KEYREEVE_MAX_CHANGES":   "50",
		"KEYREEVE_EXEMPT":        "",
		"KEYREEVE_OPERATORS":     "",
		"KEYREEVE_SCIM_ACTIVATE": "false",
		"KEYREEVE_LOG_LEVEL":     "info",
	}
	reporting := map[string]string{ // what changes nothing, as long as nobody says otherwise
		"KEYREEVE_MAX_KEY_AGE":   "",
		"KEYREEVE_SWEEP_MAX_AGE": "report", "KEYREEVE_SWEEP_INACTIVE_USER": "report", "KEYREEVE_SWEEP_DELETE": "report",
		"KEYREEVE_SWEEP_MAX_SHARE": "20", "KEYREEVE_SWEEP_REPORTS": "s3:ReportBucket/sweeps",
	}
	for name, c := range map[string]struct {
		parameters map[string]string
		identities string
		sweep      map[string]string
	}{
		"a map in the template's own parameter": {map[string]string{"IdentityMap": "github:octocat=alice@example.com"}, "github:octocat=alice@example.com", reporting},
		"a map in Parameter Store":              {map[string]string{"IdentityMap": "x", "IdentityParameter": "/keyreeve/people/"}, "ssm:/keyreeve/people/", reporting},
		"Slack": {map[string]string{
			"IdentityMap": "slack:U1=alice@example.com",
			"Slack":       "on", "SlackCommandChannels": "C1,C2", "SlackNoticeChannel": "C3", "Approvers": "self",
		}, "slack:U1=alice@example.com", reporting},
		"all policies enforced": {map[string]string{
			"Slack": "on", "SlackCommandChannels": "C1,C2", "SlackNoticeChannel": "C3", "Approvers": "self",
			"MaxKeyAge": "8760h", "SweepMaxAge": "enforce", "SweepInactiveUser": "enforce", "SweepDelete": "enforce", "SweepMaxShare": "5",
		}, "", map[string]string{
			"KEYREEVE_MAX_KEY_AGE":   "8760h",
			"KEYREEVE_SWEEP_MAX_AGE": "enforce", "KEYREEVE_SWEEP_INACTIVE_USER": "enforce", "KEYREEVE_SWEEP_DELETE": "enforce",
			"KEYREEVE_SWEEP_MAX_SHARE": "5", "KEYREEVE_SWEEP_REPORTS": "s3:ReportBucket/sweeps",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for id, f := range functions(t, deploy(t, c.parameters)) {
				wanted := maps.Clone(want)
				switch id {
				case "Activate", "Deactivate", "Delete":
					wanted["KEYREEVE_DEAD_LETTERS"] = id + "DeadLetters"
				case "Webhook":
					wanted["KEYREEVE_IDENTITY_MAP"] = c.identities
					wanted["KEYREEVE_OKTA_GROUPS"] = ""
					wanted["KEYREEVE_BAMBOOHR_EMAIL_FIELD"] = "Work Email"
				case "ChatOps":
					wanted["KEYREEVE_IDENTITY_MAP"] = c.identities
					wanted["KEYREEVE_SLACK_COMMAND_CHANNELS"] = "C1,C2"
					wanted["KEYREEVE_SLACK_NOTICE_CHANNEL"] = "C3"
					wanted["KEYREEVE_APPROVERS"] = "self"
				case "Notify":
					wanted["KEYREEVE_SLACK_NOTICE_CHANNEL"] = "C3"
				case "Sweep":
					maps.Copy(wanted, c.sweep)
				}
				if diff := cmp.Diff(wanted, f.Environment.Variables); diff != "" {
					t.Errorf("environment of %s (-want +got):\n%s", id, diff)
				}
			}
		})
	}
}

func TestTemplateRoutes(t *testing.T) {
	always := map[string]string{
		"GET /v1/users/{user}/keys":                   "Inventory",
		"POST /v1/users/{user}/keys/{key}/activate":   "Activate",
		"POST /v1/users/{user}/keys/{key}/deactivate": "Deactivate",
		"DELETE /v1/users/{user}/keys/{key}":          "Delete",
		"POST /v1/users/{user}/keys/activate":         "Activate",
		"POST /v1/users/{user}/keys/deactivate":       "Deactivate",
		"DELETE /v1/users/{user}/keys":                "Delete",
		"POST /hooks/{sender}":                        "Webhook",
		"GET /hooks/okta":                             "Webhook",
		"ANY /scim/v2/{proxy+}":                       "Webhook",
	}
	slack := map[string]string{"POST /slack/commands": "ChatOps", "POST /slack/actions": "ChatOps"}
	for name, c := range map[string]struct {
		parameters, more          map[string]string
		authorization, authorizer string
	}{
		"IAM unless told otherwise":    {nil, nil, "AWS_IAM", ""},
		"JWT where an issuer is given": {map[string]string{"JwtIssuer": "https://id.example.com", "JwtAudience": "keyreeve"}, nil, "JWT", "JwtAuthorizer"},
		"Slack":                        {slackOn(), slack, "AWS_IAM", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := deploy(t, c.parameters)
			integrations := ofType[integration](t, s, "AWS::ApiGatewayV2::Integration")
			invokable := make(map[string]bool)
			for _, p := range ofType[permission](t, s, "AWS::Lambda::Permission") {
				if p.Principal == "apigateway.amazonaws.com" && p.Action == "lambda:InvokeFunction" && strings.HasSuffix(p.SourceArn, ":Api/*") {
					invokable[p.FunctionName] = true
				}
			}
			got := make(map[string]string)
			for id, r := range ofType[route](t, s, "AWS::ApiGatewayV2::Route") {
				i := integrations[strings.TrimPrefix(r.Target, "integrations/")]
				target := strings.TrimSuffix(i.IntegrationURI, ".Arn")
				got[r.RouteKey] = target
				if !invokable[target] {
					t.Errorf("%s: the API may not invoke %q", id, target)
				}
				if i.PayloadFormatVersion != "2.0" {
					t.Errorf("%s: payload format %q", id, i.PayloadFormatVersion)
				}
				authorization, authorizer := c.authorization, c.authorizer
				if target == "Webhook" || target == "ChatOps" { // which know their callers themselves
					authorization, authorizer = "NONE", ""
				}
				if r.AuthorizationType != authorization || r.AuthorizerID != authorizer {
					t.Errorf("%s: authorization %q by %q", id, r.AuthorizationType, r.AuthorizerID)
				}
			}
			want := maps.Clone(always)
			maps.Copy(want, c.more)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("routes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTemplateActionsHaveRuleQueueAndWorker(t *testing.T) {
	s := deploy(t, map[string]string{"OffboardingSource": ""})
	workers := functions(t, s)
	rules := ofType[rule](t, s, "AWS::Events::Rule")
	queues := ofType[queue](t, s, "AWS::SQS::Queue")
	mappings := ofType[mapping](t, s, "AWS::Lambda::EventSourceMapping")
	alarms := ofType[alarm](t, s, "AWS::CloudWatch::Alarm")

	for _, action := range guard.Actions() {
		id := strings.ToUpper(string(action[:1])) + string(action[1:])
		t.Run(id, func(t *testing.T) {
			wantRule := rule{
				EventBusName: "Bus",
				EventPattern: pattern{DetailType: list{"Key Operation Requested"}, Detail: map[string]any{"action": []any{string(action)}}},
				Targets:      []target{deliverTo(id)},
			}
			if diff := cmp.Diff(wantRule, rules[id+"Rule"]); diff != "" {
				t.Errorf("rule (-want +got):\n%s", diff)
			}
			q := queues[id+"Queue"]
			if timeout := workers[id].Timeout; timeout == 0 || q.VisibilityTimeout < 6*timeout {
				t.Errorf("visibility timeout of %d s, the function's is %d s", q.VisibilityTimeout, timeout)
			}
			if q.RedrivePolicy.DeadLetterTargetArn != id+"DeadLetters.Arn" || q.RedrivePolicy.MaxReceiveCount != trigger.Tries+1 {
				t.Errorf("redrive policy: %+v, want one delivery more than the %d tries of the function", q.RedrivePolicy, trigger.Tries)
			}
			if kept := queues[id+"DeadLetters"].MessageRetentionPeriod; kept != 14*24*60*60 {
				t.Errorf("dead letters are kept for %d s", kept)
			}
			if !q.SqsManagedSseEnabled || !queues[id+"DeadLetters"].SqsManagedSseEnabled {
				t.Error("a queue is not encrypted")
			}
			if diff := cmp.Diff([]dimension{{Name: "QueueName", Value: id + "DeadLetters.QueueName"}}, alarms[id+"Alarm"].Dimensions); diff != "" {
				t.Errorf("alarm (-want +got):\n%s", diff)
			}
			if dead := workers[id].DeadLetterQueue; dead.Type != "SQS" || dead.TargetArn != id+"DeadLetters.Arn" {
				t.Errorf("an asynchronous invocation that fails ends in %+v", dead)
			}
			m := mappings[id+"Mapping"]
			if m.FunctionName != id || m.EventSourceArn != id+"Queue.Arn" {
				t.Errorf("%s is emptied by %s", m.EventSourceArn, m.FunctionName)
			}
			if !slices.Contains(m.FunctionResponseTypes, "ReportBatchItemFailures") || m.ScalingConfig.MaximumConcurrency < 2 {
				t.Errorf("event source mapping: %+v", m)
			}
		})
	}
	wantRule := rule{
		EventBusName: "Bus",
		EventPattern: pattern{DetailType: list{"Key Operation Requested"}, Detail: map[string]any{"action": []any{
			map[string]any{"exists": false}, map[string]any{"anything-but": []any{"activate", "deactivate", "delete"}},
		}}},
		Targets: []target{{Arn: "UnroutableRequests.Arn"}},
	}
	if diff := cmp.Diff(wantRule, rules["UnroutableRule"]); diff != "" {
		t.Errorf("rule for requests without an action (-want +got):\n%s", diff)
	}
	// Beside those of the actions there are a rule and a queue for requests that name none, and what the senders and the
	// sweep need.
	if n := len(guard.Actions()); len(rules) != n+4 || len(queues) != 2*n+6 || len(mappings) != n+2 {
		t.Errorf("%d actions, but %d rules, %d queues, %d event source mappings", n, len(rules), len(queues), len(mappings))
	}
}

func TestTemplateSendersHaveRulesQueueAndWorker(t *testing.T) {
	const okta, auth0 = "aws.partner/okta.com/example/keyreeve", "aws.partner/auth0.com/example/keyreeve"
	s := deploy(t, map[string]string{"OktaEventBus": okta, "Auth0EventBus": auth0})
	rules := ofType[rule](t, s, "AWS::Events::Rule")
	waiting := target{Arn: "SenderEvents.Arn"}
	waiting.DeadLetterConfig.Arn = "SenderDeadLetters.Arn"
	waiting.RetryPolicy.MaximumEventAgeInSeconds, waiting.RetryPolicy.MaximumRetryAttempts = 24*60*60, 185
	for id, want := range map[string]rule{
		"UnmappedRule": {EventBusName: "Bus", EventPattern: pattern{Source: []any{"keyreeve"}, DetailType: list{"Key Operation Unmapped"}}},
		"OktaRule": {EventBusName: okta, EventPattern: pattern{Detail: map[string]any{"eventType": []any{
			"user.lifecycle.deactivate", "user.lifecycle.suspend", "user.lifecycle.delete.initiated", "group.user_membership.remove",
		}}}},
		"Auth0Rule": {EventBusName: auth0, EventPattern: pattern{Source: []any{map[string]any{"prefix": "aws.partner/auth0.com/"}}}},
	} {
		want.Targets = []target{waiting}
		if diff := cmp.Diff(want, rules[id]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	q, m := ofType[queue](t, s, "AWS::SQS::Queue")["SenderEvents"], ofType[mapping](t, s, "AWS::Lambda::EventSourceMapping")["SenderMapping"]
	worker := functions(t, s)["Webhook"]
	if q.VisibilityTimeout < 6*worker.Timeout || q.RedrivePolicy.DeadLetterTargetArn != "SenderDeadLetters.Arn" || q.RedrivePolicy.MaxReceiveCount < 5 {
		t.Errorf("queue: %+v", q)
	}
	if m.FunctionName != "Webhook" || m.EventSourceArn != "SenderEvents.Arn" || !slices.Contains(m.FunctionResponseTypes, "ReportBatchItemFailures") {
		t.Errorf("event source mapping: %+v", m)
	}
	if diff := cmp.Diff([]dimension{{Name: "QueueName", Value: "SenderDeadLetters.QueueName"}}, ofType[alarm](t, s, "AWS::CloudWatch::Alarm")["SenderAlarm"].Dimensions); diff != "" {
		t.Errorf("alarm (-want +got):\n%s", diff)
	}
	heard := list{"UnmappedRule.Arn", "OktaRule.Arn", "Auth0Rule.Arn"}
	for _, name := range []string{"SenderEvents", "SenderDeadLetters"} {
		if diff := cmp.Diff(openTo(name, heard), ofType[queuePolicy](t, s, "AWS::SQS::QueuePolicy")[name+"Policy"]); diff != "" {
			t.Errorf("policy of %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTemplateSlackHasRulesQueuesAndWorkers(t *testing.T) {
	s := deploy(t, slackOn())
	asked := pattern{Source: []any{"keyreeve"}, DetailType: list{"Key Operation Finished"}}
	asked.Detail = map[string]any{"replyTo": map[string]any{"slack": []any{map[string]any{"exists": true}}}}
	told := pattern{Source: []any{"keyreeve"}, DetailType: list{"Key Operation Finished", "Key Warning Due", "Key Sweep Finished", "Key Sweep Stopped"}}
	rules := ofType[rule](t, s, "AWS::Events::Rule")
	for id, want := range map[string]rule{
		"ChatRule":   {EventPattern: pattern{Source: []any{"keyreeve"}, DetailType: list{"Chat Message Received"}}, Targets: []target{deliverTo("Chat")}},
		"ReplyRule":  {EventPattern: asked, Targets: []target{deliverTo("Chat")}},
		"NoticeRule": {EventPattern: told, Targets: []target{deliverTo("Notice")}},
	} {
		want.EventBusName = "Bus"
		if diff := cmp.Diff(want, rules[id]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	partial := list{"ReportBatchItemFailures"}
	mappings := ofType[mapping](t, s, "AWS::Lambda::EventSourceMapping")
	for name, c := range map[string]struct {
		mapping mapping
		atOnce  int
		rules   list
		// spans is how long a message may fail, from the first try to the last.
		spans func(time.Duration) bool
	}{
		"Chat": {
			mapping{FunctionName: "ChatOps", EventSourceArn: "ChatQueue.Arn", BatchSize: 1, FunctionResponseTypes: partial},
			5,
			list{"ChatRule.Arn", "ReplyRule.Arn"},
			func(d time.Duration) bool { return d < 30*time.Minute }, // for which Slack takes an answer
		},
		"Notice": {
			mapping{FunctionName: "Notify", EventSourceArn: "NoticeQueue.Arn", BatchSize: 100, MaximumBatchingWindowInSeconds: 10, FunctionResponseTypes: partial},
			2,
			list{"NoticeRule.Arn"},
			func(d time.Duration) bool { return d > time.Hour }, // for which Slack may be down
		},
	} {
		c.mapping.ScalingConfig.MaximumConcurrency = c.atOnce
		if diff := cmp.Diff(c.mapping, mappings[name+"Mapping"]); diff != "" {
			t.Errorf("event source mapping (-want +got):\n%s", diff)
		}
		q, dead := ofType[queue](t, s, "AWS::SQS::Queue")[name+"Queue"], ofType[queue](t, s, "AWS::SQS::Queue")[name+"DeadLetters"]
		if least := 6*functions(t, s)[c.mapping.FunctionName].Timeout + c.mapping.MaximumBatchingWindowInSeconds; q.VisibilityTimeout != least || least < 360 {
			t.Errorf("%s: visibility timeout of %d s, want %d s", name, q.VisibilityTimeout, least)
		}
		if span := time.Duration(q.VisibilityTimeout*(q.RedrivePolicy.MaxReceiveCount-1)) * time.Second; !c.spans(span) {
			t.Errorf("%s: the tries span %v", name, span)
		}
		if q.RedrivePolicy.DeadLetterTargetArn != name+"DeadLetters.Arn" || dead.MessageRetentionPeriod != 14*24*60*60 || !q.SqsManagedSseEnabled || !dead.SqsManagedSseEnabled {
			t.Errorf("%s: queue %+v, dead letters %+v", name, q, dead)
		}
		if diff := cmp.Diff([]dimension{{Name: "QueueName", Value: name + "DeadLetters.QueueName"}}, ofType[alarm](t, s, "AWS::CloudWatch::Alarm")[name+"Alarm"].Dimensions); diff != "" {
			t.Errorf("alarm (-want +got):\n%s", diff)
		}
		for _, q := range []string{name + "Queue", name + "DeadLetters"} {
			if diff := cmp.Diff(openTo(q, c.rules), ofType[queuePolicy](t, s, "AWS::SQS::QueuePolicy")[q+"Policy"]); diff != "" {
				t.Errorf("policy of %s (-want +got):\n%s", q, diff)
			}
		}
	}
}

func TestTemplateSweepHasQueueAndWorker(t *testing.T) {
	s := deploy(t, nil)
	rules := ofType[rule](t, s, "AWS::Events::Rule")
	for id, want := range map[string]rule{
		"SweepRule":         {EventPattern: pattern{DetailType: list{"Key Sweep Continued"}}, Targets: []target{deliverTo("Sweep")}},
		"StoppedSweepsRule": {EventPattern: pattern{DetailType: list{"Key Sweep Stopped"}}, Targets: []target{{Arn: "StoppedSweeps.Arn"}}},
	} {
		want.EventBusName, want.EventPattern.Source = "Bus", []any{"keyreeve"}
		if diff := cmp.Diff(want, rules[id]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	worker := functions(t, s)["Sweep"]
	if worker.DeadLetterQueue.Type != "SQS" || worker.DeadLetterQueue.TargetArn != "SweepDeadLetters.Arn" {
		t.Errorf("asynchronous invocations that fail go to %+v", worker.DeadLetterQueue)
	}
	timeout := worker.Timeout
	if timeout != 900 {
		t.Errorf("the function has %d s, want the 900 s that Lambda gives at most", timeout)
	}
	const fortnight = 14 * 24 * 60 * 60
	wantQueues := map[string]queue{
		"SweepQueue":       {VisibilityTimeout: 6 * timeout},
		"SweepDeadLetters": {MessageRetentionPeriod: fortnight},
		"StoppedSweeps":    {MessageRetentionPeriod: fortnight}, // which nobody empties
	}
	queues, alarms := ofType[queue](t, s, "AWS::SQS::Queue"), ofType[alarm](t, s, "AWS::CloudWatch::Alarm")
	for name, want := range wantQueues {
		want.SqsManagedSseEnabled = true
		if name == "SweepQueue" {
			want.RedrivePolicy.DeadLetterTargetArn, want.RedrivePolicy.MaxReceiveCount = "SweepDeadLetters.Arn", 2
		}
		if diff := cmp.Diff(want, queues[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, watched := range map[string]string{"SweepAlarm": "SweepDeadLetters", "StoppedSweepsAlarm": "StoppedSweeps"} {
		if diff := cmp.Diff([]dimension{{Name: "QueueName", Value: watched + ".QueueName"}}, alarms[name].Dimensions); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	want := mapping{FunctionName: "Sweep", EventSourceArn: "SweepQueue.Arn", BatchSize: 1, FunctionResponseTypes: list{"ReportBatchItemFailures"}}
	want.ScalingConfig.MaximumConcurrency = 2
	if diff := cmp.Diff(want, ofType[mapping](t, s, "AWS::Lambda::EventSourceMapping")["SweepMapping"]); diff != "" {
		t.Errorf("event source mapping (-want +got):\n%s", diff)
	}
}

func TestTemplateStartsSweepsOnSchedule(t *testing.T) {
	const timers, roles = "AWS::Scheduler::Schedule", "AWS::IAM::Role"
	for name, c := range map[string]struct {
		parameters map[string]string
		want       string
	}{
		"every night":                   {nil, "cron(0 2 * * ? *)"},
		"at a time of the operator's":   {map[string]string{"SweepSchedule": "rate(7 days)"}, "rate(7 days)"},
		"only when somebody starts one": {map[string]string{"SweepSchedule": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := deploy(t, c.parameters)
			want, wantRoles := make(map[string]schedule), make(map[string]role)
			if c.want != "" {
				timer := schedule{ScheduleExpression: c.want}
				timer.FlexibleTimeWindow.Mode = "OFF"
				timer.Target.target = deliverTo("Sweep")
				timer.Target.RoleArn, timer.Target.Input = "SweepTimerRole.Arn", "{}"
				want["SweepTimer"] = timer
				wantRoles["SweepTimerRole"] = role{
					AssumeRolePolicyDocument: policy{Statement: []statement{{
						Effect: "Allow", Principal: map[string]string{"Service": "scheduler.amazonaws.com"}, Action: list{"sts:AssumeRole"},
						Condition: map[string]map[string]list{"StringEquals": {
							"aws:SourceAccount": {"AWS::AccountId"},
							"aws:SourceArn":     {"arn:AWS::Partition:scheduler:AWS::Region:AWS::AccountId:schedule-group/default"},
						}},
					}}},
					Policies: []rolePolicy{{PolicyDocument: policy{Statement: []statement{{
						Effect: "Allow", Action: list{"sqs:SendMessage"}, Resource: list{"SweepQueue.Arn", "SweepDeadLetters.Arn"},
					}}}}},
				}
			}
			if diff := cmp.Diff(want, ofType[schedule](t, s, timers), cmp.AllowUnexported(scheduleTarget{})); diff != "" {
				t.Errorf("schedules (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantRoles, ofType[role](t, s, roles)); diff != "" {
				t.Errorf("roles (-want +got):\n%s", diff)
			}
		})
	}
}

// Whoever does not use Slack has nothing of it, and nobody finds a door there.
func TestTemplateSlackIsOffUnlessSwitchedOn(t *testing.T) {
	off, on := deploy(t, nil), deploy(t, slackOn())
	var more []string
	for id := range on.resources {
		if _, always := off.resources[id]; !always {
			more = append(more, id)
		}
	}
	slices.Sort(more)
	want := []string{
		"ChatAlarm", "ChatDeadLetters", "ChatDeadLettersPolicy", "ChatMapping", "ChatOps", "ChatOpsIntegration", "ChatOpsPermission",
		"ChatQueue", "ChatQueuePolicy", "ChatRule", "NoticeAlarm", "NoticeDeadLetters", "NoticeDeadLettersPolicy", "NoticeMapping",
		"NoticeQueue", "NoticeQueuePolicy", "NoticeRule", "Notify", "ReplyRule", "SlackActionRoute", "SlackCommandRoute",
	}
	if diff := cmp.Diff(want, more); diff != "" {
		t.Errorf("resources of Slack (-want +got):\n%s", diff)
	}
}

func TestTemplateParametersThatGoTogether(t *testing.T) {
	for name, c := range map[string]struct {
		parameters map[string]string
		want       bool
	}{
		"the defaults":              {nil, true},
		"Slack alone":               {slackOn(), true},
		"Slack with all of it":      {map[string]string{"Slack": "on", "SlackNoticeChannel": "C1", "SlackCommandChannels": "C1", "Approvers": "self"}, true},
		"notices without Slack":     {map[string]string{"SlackNoticeChannel": "C1"}, false},
		"channels without Slack":    {map[string]string{"SlackCommandChannels": "C1"}, false},
		"approvers without Slack":   {map[string]string{"Approvers": "self"}, false},
		"an issuer and an audience": {map[string]string{"JwtIssuer": "https://id.example.com", "JwtAudience": "keyreeve"}, true},
		"an issuer alone":           {map[string]string{"JwtIssuer": "https://id.example.com"}, false},
		"an audience alone":         {map[string]string{"JwtAudience": "keyreeve"}, false},
		"an age alone":              {map[string]string{"MaxKeyAge": "8760h"}, true},
		"an age enforced":           {map[string]string{"SweepMaxAge": "enforce", "MaxKeyAge": "8760h", "Slack": "on"}, true},
		"no age enforced":           {map[string]string{"SweepMaxAge": "enforce", "Slack": "on"}, false},
		"nobody warned":             {map[string]string{"SweepMaxAge": "enforce", "MaxKeyAge": "8760h"}, false},
		"the others enforced":       {map[string]string{"SweepInactiveUser": "enforce", "SweepDelete": "enforce"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := deploy(t, c.parameters).allowed; got != c.want {
				t.Errorf("allowed: %v, want %v", got, c.want)
			}
		})
	}
}

// openTo is the policy of a queue that the rules alone may fill.
func openTo(q string, rules list) queuePolicy {
	return queuePolicy{Queues: list{q}, PolicyDocument: policy{Statement: []statement{{
		Effect:    "Allow",
		Principal: map[string]string{"Service": "events.amazonaws.com"},
		Action:    list{"sqs:SendMessage"},
		Resource:  list{q + ".Arn"},
		Condition: map[string]map[string]list{"ArnEquals": {"aws:SourceArn": rules}},
	}}}}
}

func TestTemplateQueuesAreOpenToTheirRulesOnly(t *testing.T) {
	for name, c := range map[string]struct {
		parameters map[string]string
		deactivate list
	}{
		"with your own event":    {nil, list{"DeactivateRule.Arn", "OffboardingRule.Arn"}},
		"without your own event": {map[string]string{"OffboardingSource": ""}, list{"DeactivateRule.Arn"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := deploy(t, c.parameters)
			rules := map[string]list{"Activate": {"ActivateRule.Arn"}, "Deactivate": c.deactivate, "Delete": {"DeleteRule.Arn"}}
			want := make(map[string]queuePolicy)
			for id, sources := range rules {
				for _, q := range []string{id + "Queue", id + "DeadLetters"} {
					want[q+"Policy"] = openTo(q, sources)
				}
			}
			want["UnroutableRequestsPolicy"] = openTo("UnroutableRequests", list{"UnroutableRule.Arn"})
			for _, q := range []string{"SenderEvents", "SenderDeadLetters"} {
				want[q+"Policy"] = openTo(q, list{"UnmappedRule.Arn"})
			}
			for _, q := range []string{"SweepQueue", "SweepDeadLetters"} {
				want[q+"Policy"] = openTo(q, list{"SweepRule.Arn"})
			}
			want["StoppedSweepsPolicy"] = openTo("StoppedSweeps", list{"StoppedSweepsRule.Arn"})
			if diff := cmp.Diff(want, ofType[queuePolicy](t, s, "AWS::SQS::QueuePolicy")); diff != "" {
				t.Errorf("queue policies (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTemplateOffboardingEventBecomesARequest(t *testing.T) {
	const event = `{"version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "source": "com.example.people",
		"detail-type": "Contract Ended", "time": "2026-11-22T10:00:00Z", "account": "111122223333",
		"region": "eu-central-1", "resources": [], "detail": {"person": {"mail": "alice@example.com"}}}`
	s := deploy(t, map[string]string{
		"OffboardingSource":     "com.example.people",
		"OffboardingDetailType": "Contract Ended",
		"OffboardingEmailPath":  "$.detail.person.mail",
	})
	got := ofType[rule](t, s, "AWS::Events::Rule")["OffboardingRule"]
	transformer := got.Targets[0].InputTransformer

	wantTarget := deliverTo("Deactivate")
	wantTarget.InputTransformer = transformer
	wantRule := rule{
		EventBusName: "Bus",
		EventPattern: pattern{Source: []any{"com.example.people"}, DetailType: list{"Contract Ended"}},
		Targets:      []target{wantTarget},
	}
	if diff := cmp.Diff(wantRule, got); diff != "" {
		t.Errorf("rule (-want +got):\n%s", diff)
	}

	occurred := time.Date(2026, time.November, 22, 10, 0, 0, 0, time.UTC)
	wantRequest := guard.Request{
		Action:      guard.Deactivate,
		User:        "alice@example.com",
		Offboarding: true,
		Reason:      "left the company",
		Source:      "com.example.people",
		ID:          "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
		OccurredAt:  occurred,
		Actor:       guard.Actor{Kind: guard.System, Name: "com.example.people"},
	}
	var request guard.Request
	decoder := json.NewDecoder(bytes.NewReader(transformer.apply(t, event)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantRequest, request); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if err := request.Validate(occurred); err != nil {
		t.Error(err)
	}
}

func TestTemplateFunctionsMayDoWhatTheyNeedAndNoMore(t *testing.T) {
	action := func(id string) []string {
		return []string{
			"dynamodb:DeleteItem Table.Arn", "dynamodb:GetItem Table.Arn", "dynamodb:PutItem Table.Arn",
			"events:PutEvents Bus.Arn",
			"secretsmanager:GetSecretValue " + loginARN,
			"sqs:DeleteMessage " + id + "Queue.Arn", "sqs:GetQueueAttributes " + id + "Queue.Arn", "sqs:ReceiveMessage " + id + "Queue.Arn",
			"sqs:SendMessage " + id + "DeadLetters.Arn",
		}
	}
	want := map[string][]string{
		"Activate":   action("Activate"),
		"Deactivate": action("Deactivate"),
		"Delete":     action("Delete"),
		"Inventory":  {"dynamodb:GetItem Table.Arn", "secretsmanager:GetSecretValue " + loginARN},
		"Webhook": {
			"dynamodb:GetItem Table.Arn", "dynamodb:PutItem Table.Arn if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[events/*]]]",
			"events:PutEvents Bus.Arn",
			"secretsmanager:GetSecretValue " + loginARN,
			"sqs:DeleteMessage SenderEvents.Arn", "sqs:GetQueueAttributes SenderEvents.Arn", "sqs:ReceiveMessage SenderEvents.Arn",
		},
		"Sweep": {
			"dynamodb:BatchGetItem Table.Arn",
			"dynamodb:DeleteItem Table.Arn if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[leases/*]]]",
			"dynamodb:GetItem Table.Arn",
			"dynamodb:PutItem Table.Arn if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[users/* sweeps/* leases/*]]]",
			"events:PutEvents Bus.Arn",
			"s3:DeleteObject ReportBucket.Arn/sweeps/*", "s3:GetObject ReportBucket.Arn/sweeps/*", "s3:ListBucket ReportBucket.Arn", "s3:PutObject ReportBucket.Arn/sweeps/*",
			"secretsmanager:GetSecretValue " + loginARN,
			"sqs:DeleteMessage SweepQueue.Arn", "sqs:GetQueueAttributes SweepQueue.Arn", "sqs:ReceiveMessage SweepQueue.Arn", "sqs:SendMessage SweepDeadLetters.Arn",
		},
	}
	slack := maps.Clone(want)
	slack["ChatOps"] = []string{
		"dynamodb:GetItem Table.Arn", "dynamodb:PutItem Table.Arn if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[events/*]]]",
		"events:PutEvents Bus.Arn",
		"secretsmanager:GetSecretValue " + loginARN,
		"sqs:DeleteMessage ChatQueue.Arn", "sqs:GetQueueAttributes ChatQueue.Arn", "sqs:ReceiveMessage ChatQueue.Arn",
	}
	const told = " Table.Arn if map[ForAllValues:StringLike:map[dynamodb:LeadingKeys:[events/* warnings/*]]]"
	slack["Notify"] = []string{
		"dynamodb:BatchGetItem" + told, "dynamodb:GetItem" + told, "dynamodb:PutItem" + told,
		"secretsmanager:GetSecretValue " + loginARN,
		"sqs:DeleteMessage NoticeQueue.Arn", "sqs:GetQueueAttributes NoticeQueue.Arn", "sqs:ReceiveMessage NoticeQueue.Arn",
	}
	const people = "arn:AWS::Partition:ssm:AWS::Region:AWS::AccountId:parameter/keyreeve/people*"
	readsPeople := maps.Clone(slack)
	for _, id := range []string{"Webhook", "ChatOps"} {
		readsPeople[id] = slices.Concat(slack[id], []string{"ssm:GetParameter " + people, "ssm:GetParametersByPath " + people})
	}
	for name, c := range map[string]struct {
		parameters map[string]string
		want       map[string][]string
	}{
		"as it comes":           {nil, want},
		"Slack":                 {slackOn(), slack},
		"a map in a parameter":  {map[string]string{"Slack": "on", "IdentityParameter": "/keyreeve/people"}, readsPeople},
		"a map in some of them": {map[string]string{"Slack": "on", "IdentityParameter": "/keyreeve/people/"}, readsPeople},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, permissions(t, c.parameters)); diff != "" {
				t.Errorf("permissions (-want +got):\n%s", diff)
			}
		})
	}
}

// permissions returns what each function may do on what.
func permissions(t *testing.T, parameters map[string]string) map[string][]string {
	t.Helper()
	got := make(map[string][]string)
	for id, f := range functions(t, deploy(t, parameters)) {
		for _, p := range f.Policies {
			for _, statement := range p.Statement {
				for _, action := range statement.Action {
					for _, resource := range statement.Resource {
						may := action + " " + resource
						if statement.Condition != nil {
							may += fmt.Sprint(" if ", statement.Condition)
						}
						got[id] = append(got[id], may)
					}
				}
			}
		}
		slices.Sort(got[id])
	}
	return got
}

func TestTemplateTableOutlivesTheStack(t *testing.T) {
	s := deploy(t, nil)
	var want table
	want.KeySchema = []keyElement{{AttributeName: "id", KeyType: "HASH"}}
	want.TimeToLiveSpecification.AttributeName, want.TimeToLiveSpecification.Enabled = "expires", true
	want.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled = true
	if diff := cmp.Diff(map[string]table{"Table": want}, ofType[table](t, s, "AWS::DynamoDB::Table")); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	retained(t, s, "Table")
}

func TestTemplateReportsAreKeptAndNobodyElseReadsThem(t *testing.T) {
	s := deploy(t, nil)
	var want bucket
	want.PublicAccessBlockConfiguration = publicAccess{BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true}
	want.BucketEncryption.ServerSideEncryptionConfiguration = make([]bucketEncryption, 1)
	want.BucketEncryption.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.SSEAlgorithm = "AES256"
	want.LifecycleConfiguration.Rules = []lifecycleRule{{Status: "Enabled", ExpirationInDays: 400}}
	if diff := cmp.Diff(map[string]bucket{"ReportBucket": want}, ofType[bucket](t, s, "AWS::S3::Bucket")); diff != "" {
		t.Errorf("buckets (-want +got):\n%s", diff)
	}
	wantPolicy := bucketPolicy{Bucket: "ReportBucket", PolicyDocument: policy{Statement: []statement{{
		Effect:    "Deny",
		Principal: map[string]string{"AWS": "*"},
		Action:    list{"s3:*"},
		Resource:  list{"ReportBucket.Arn", "ReportBucket.Arn/*"},
		Condition: map[string]map[string]list{"Bool": {"aws:SecureTransport": {"false"}}},
	}}}}
	if diff := cmp.Diff(map[string]bucketPolicy{"ReportBucketPolicy": wantPolicy}, ofType[bucketPolicy](t, s, "AWS::S3::BucketPolicy")); diff != "" {
		t.Errorf("bucket policies (-want +got):\n%s", diff)
	}
	retained(t, s, "ReportBucket")
}

// retained holds that the resource outlives the stack.
func retained(t *testing.T, s stack, id string) {
	t.Helper()
	for _, policy := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
		if got := members(s.resources[id])[policy]; got == nil || got.Value != "Retain" {
			t.Errorf("%s does not retain %s", policy, id)
		}
	}
}

// makeDryRun returns the commands that make would run.
func makeDryRun(t *testing.T, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "make", append([]string{"-n"}, arguments...)...)
	command.Dir = root
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("make %v: %v\n%s", arguments, err, out)
	}
	return string(out)
}

// The parts of CloudFormation resources that the tests look at. Members that are not named here are not looked at.
type (
	function struct {
		Runtime, Handler string
		Architectures    list
		Timeout          int
		Environment      struct{ Variables map[string]string }
		Policies         []policy
		DeadLetterQueue  struct{ Type, TargetArn string }
	}
	policy    struct{ Statement []statement }
	statement struct {
		Effect           string
		Principal        map[string]string
		Action, Resource list
		Condition        map[string]map[string]list
	}
	integration struct{ IntegrationURI, PayloadFormatVersion string }
	permission  struct{ FunctionName, Action, Principal, SourceArn string }
	route       struct{ RouteKey, Target, AuthorizationType, AuthorizerID string }
	rule        struct {
		EventBusName string
		EventPattern pattern
		Targets      []target
	}
	pattern struct {
		Source     []any
		DetailType list `json:"detail-type"`
		Detail     map[string]any
	}
	target struct {
		Arn              string
		DeadLetterConfig struct{ Arn string }
		RetryPolicy      struct{ MaximumEventAgeInSeconds, MaximumRetryAttempts int }
		InputTransformer transformer
	}
	transformer struct {
		InputPathsMap map[string]string
		InputTemplate string
	}
	queue struct {
		VisibilityTimeout, MessageRetentionPeriod int
		SqsManagedSseEnabled                      bool
		RedrivePolicy                             struct {
			DeadLetterTargetArn string
			MaxReceiveCount     int
		}
	}
	queuePolicy struct {
		Queues         list
		PolicyDocument policy
	}
	alarm     struct{ Dimensions []dimension }
	dimension struct{ Name, Value string }
	table     struct {
		KeySchema               []keyElement
		TimeToLiveSpecification struct {
			AttributeName string
			Enabled       bool
		}
		PointInTimeRecoverySpecification struct{ PointInTimeRecoveryEnabled bool }
	}
	keyElement struct{ AttributeName, KeyType string }
	bucket     struct {
		PublicAccessBlockConfiguration publicAccess
		BucketEncryption               struct{ ServerSideEncryptionConfiguration []bucketEncryption }
		LifecycleConfiguration         struct{ Rules []lifecycleRule }
		VersioningConfiguration        struct{ Status string }
	}
	publicAccess     struct{ BlockPublicAcls, BlockPublicPolicy, IgnorePublicAcls, RestrictPublicBuckets bool }
	bucketEncryption struct {
		ServerSideEncryptionByDefault struct{ SSEAlgorithm string }
	}
	lifecycleRule struct {
		Status           string
		ExpirationInDays int
	}
	bucketPolicy struct {
		Bucket         string
		PolicyDocument policy
	}
	schedule struct {
		ScheduleExpression string
		FlexibleTimeWindow struct{ Mode string }
		Target             scheduleTarget
	}
	scheduleTarget struct {
		target
		RoleArn, Input string
	}
	role struct {
		AssumeRolePolicyDocument policy
		Policies                 []rolePolicy
	}
	rolePolicy struct{ PolicyDocument policy }
	mapping    struct {
		FunctionName, EventSourceArn              string
		BatchSize, MaximumBatchingWindowInSeconds int
		FunctionResponseTypes                     list
		ScalingConfig                             struct{ MaximumConcurrency int }
	}
)

// list is a list of strings, or one string by itself.
type list []string

func (l *list) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

// deliverTo is the target of a rule that feeds a queue: that, else its dead letters after a day of trying.
func deliverTo(id string) target {
	want := target{Arn: id + "Queue.Arn"}
	want.DeadLetterConfig.Arn = id + "DeadLetters.Arn"
	want.RetryPolicy.MaximumEventAgeInSeconds = 24 * 60 * 60
	want.RetryPolicy.MaximumRetryAttempts = 185
	return want
}

// apply does what EventBridge does: each <name> in the template gives way to the JSON value at its path.
func (tr transformer) apply(t *testing.T, event string) []byte {
	t.Helper()
	out := tr.InputTemplate
	for name, path := range tr.InputPathsMap {
		value := decode[any](t, []byte(event))
		for member := range strings.SplitSeq(strings.TrimPrefix(path, "$."), ".") {
			object, _ := value.(map[string]any)
			value = object[member]
		}
		out = strings.ReplaceAll(out, "<"+name+">", string(encode(t, value)))
	}
	return []byte(out)
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// decode reads a value from JSON, each layer laid over the ones before.
func decode[T any](t *testing.T, layers ...[]byte) T {
	t.Helper()
	var value T
	for _, layer := range layers {
		if err := json.Unmarshal(layer, &value); err != nil {
			t.Fatalf("%v in %s", err, layer)
		}
	}
	return value
}

// stack is the template as CloudFormation would deploy it: conditions decided and references replaced. A reference to
// a resource reads as its logical id, an attribute of it as "Id.Attribute".
type stack struct {
	parameters map[string]string
	conditions map[string]*yaml.Node
	// resources holds those whose condition is met.
	resources map[string]*yaml.Node
	// allowed: no rule of the template speaks against the parameters.
	allowed bool
	// shared holds the properties that all functions have.
	shared *yaml.Node
}

// deploy reads the template with the parameters given, and their defaults for the others.
func deploy(t *testing.T, parameters map[string]string) stack {
	t.Helper()
	text, err := os.ReadFile(root + "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	template := members(document.Content[0])
	s := stack{
		parameters: map[string]string{"SecretId": loginARN},
		conditions: members(template["Conditions"]),
		resources:  members(template["Resources"]),
		shared:     members(template["Globals"])["Function"],
	}
	for name, parameter := range members(template["Parameters"]) {
		if byDefault, ok := members(parameter)["Default"]; ok {
			s.parameters[name] = byDefault.Value
		}
	}
	for name, value := range parameters {
		if _, ok := s.parameters[name]; !ok {
			t.Fatalf("the template has no parameter %s", name)
		}
		s.parameters[name] = value
	}
	left := func(_ string, entry *yaml.Node) bool {
		condition, ok := members(entry)["Condition"]
		return ok && !s.holds(t, condition.Value)
	}
	maps.DeleteFunc(s.resources, left)
	outputs := members(template["Outputs"])
	maps.DeleteFunc(outputs, left)
	// Resolving all of it finds what points nowhere, also in what no test asks for.
	for _, entry := range slices.Concat(slices.Collect(maps.Values(s.resources)), slices.Collect(maps.Values(outputs))) {
		s.value(t, entry)
	}
	s.allowed = !slices.ContainsFunc(slices.Collect(maps.Values(members(template["Rules"]))), func(rule *yaml.Node) bool { return s.breaks(t, rule) })
	return s
}

// ofType returns the properties of all resources of a type, by logical id.
func ofType[T any](t *testing.T, s stack, name string) map[string]T {
	t.Helper()
	found := make(map[string]T)
	for id, resource := range s.resources {
		if m := members(resource); m["Type"].Value == name {
			found[id] = decode[T](t, encode(t, s.value(t, m["Properties"])))
		}
	}
	return found
}

// functions returns the functions by logical id, each with what all of them share.
func functions(t *testing.T, s stack) map[string]function {
	t.Helper()
	shared := encode(t, s.value(t, s.shared))
	found := make(map[string]function)
	for id, own := range ofType[json.RawMessage](t, s, "AWS::Serverless::Function") {
		found[id] = decode[function](t, shared, own)
	}
	return found
}

// absent is what AWS::NoValue leaves behind: nothing, wherever it stands.
type absent struct{}

// value returns what stands at a node, as encoding/json would decode it.
func (s stack) value(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Tag {
	case "!Ref":
		return s.reference(t, n.Value)
	case "!GetAtt":
		return s.mentioned(t, n.Value)
	case "!Sub":
		return regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAllStringFunc(n.Value, func(placeholder string) string {
			return fmt.Sprint(s.mentioned(t, placeholder[2:len(placeholder)-1]))
		})
	case "!If":
		if s.holds(t, n.Content[0].Value) {
			return s.value(t, n.Content[1])
		}
		return s.value(t, n.Content[2])
	case "!Join":
		var texts []string
		for _, part := range n.Content[1].Content {
			texts = append(texts, fmt.Sprint(s.value(t, part)))
		}
		return strings.Join(texts, n.Content[0].Value)
	case "!Split":
		parts := []any{}
		for part := range strings.SplitSeq(fmt.Sprint(s.value(t, n.Content[1])), n.Content[0].Value) {
			parts = append(parts, part)
		}
		return parts
	case "!Select":
		list, isList := s.value(t, n.Content[1]).([]any)
		index, isNumber := s.value(t, n.Content[0]).(int)
		if !isList || !isNumber || index >= len(list) {
			t.Fatalf("template.yaml:%d: this test cannot select %s", n.Line, n.Content[0].Value)
		}
		return list[index]
	case "!Equals":
		return s.value(t, n.Content[0]) == s.value(t, n.Content[1])
	case "!Not":
		return s.value(t, n.Content[0]) == false
	case "!And":
		return !slices.ContainsFunc(n.Content, func(operand *yaml.Node) bool { return s.value(t, operand) == false })
	case "!Or":
		return slices.ContainsFunc(n.Content, func(operand *yaml.Node) bool { return s.value(t, operand) == true })
	}
	if !strings.HasPrefix(n.Tag, "!!") {
		t.Fatalf("template.yaml:%d: this test does not know %s", n.Line, n.Tag)
	}
	switch n.Kind {
	case yaml.MappingNode:
		object := make(map[string]any)
		for name, member := range members(n) {
			if v := s.value(t, member); v != (absent{}) {
				object[name] = v
			}
		}
		return object
	case yaml.SequenceNode:
		array := []any{}
		for _, element := range n.Content {
			if v := s.value(t, element); v != (absent{}) {
				array = append(array, v)
			}
		}
		return array
	default:
		var scalar any
		if err := n.Decode(&scalar); err != nil {
			t.Fatalf("template.yaml:%d: %v", n.Line, err)
		}
		return scalar
	}
}

// breaks reports whether the parameters break a rule of the template: it applies, and one of its assertions does not hold.
func (s stack) breaks(t *testing.T, rule *yaml.Node) bool {
	t.Helper()
	if applies, ok := members(rule)["RuleCondition"]; ok && s.value(t, applies) == false {
		return false
	}
	return slices.ContainsFunc(members(rule)["Assertions"].Content, func(assertion *yaml.Node) bool {
		return s.value(t, members(assertion)["Assert"]) == false
	})
}

// holds reports whether a condition is met.
func (s stack) holds(t *testing.T, condition string) bool {
	t.Helper()
	definition, ok := s.conditions[condition]
	if !ok {
		t.Fatalf("the template has no condition %s", condition)
	}
	return s.value(t, definition) == true
}

// mentioned returns what ${…} in !Sub stands for: what !Ref does, or an attribute of a resource that exists.
func (s stack) mentioned(t *testing.T, name string) any {
	t.Helper()
	id, _, attribute := strings.Cut(name, ".")
	value := s.reference(t, id)
	if attribute {
		return name
	}
	return value
}

// reference returns what !Ref does: a parameter's value, or the id of a resource that exists.
func (s stack) reference(t *testing.T, name string) any {
	t.Helper()
	if name == "AWS::NoValue" {
		return absent{}
	}
	if value, ok := s.parameters[name]; ok {
		return value
	}
	if _, ok := s.resources[name]; !ok && !strings.HasPrefix(name, "AWS::") {
		t.Errorf("the template refers to %s, which does not exist", name)
	}
	return name
}

// members returns the values of a YAML mapping by their keys.
func members(mapping *yaml.Node) map[string]*yaml.Node {
	found := make(map[string]*yaml.Node)
	for pair := range slices.Chunk(mapping.Content, 2) {
		found[pair[0].Value] = pair[1]
	}
	return found
}
