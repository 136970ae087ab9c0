package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

func TestTheRealTemplateCanBeRun(t *testing.T) {
	t.Parallel()
	got, err := loadTemplate("../..", "http://here", templateParameters(options{}))
	if err != nil {
		t.Fatal(err)
	}
	folders, err := filepath.Glob("../../functions/*/main.go")
	if err != nil || len(folders) != len(got.functions) {
		t.Errorf("%d functions for %d folders, %v", len(got.functions), len(folders), err)
	}
	read := map[string]bool{}
	for _, m := range got.mappings {
		read[m.queue] = true
	}
	for _, r := range got.rules {
		for _, target := range r.targets {
			if !read[target.queue] && target.queue != "UnroutableRequests" && target.queue != "StoppedSweeps" {
				t.Errorf("%s fills %s, which nobody reads", r.name, target.queue)
			}
		}
	}
}

// A parameter by another name would have no effect.
func TestTheRealTemplateDeclaresTheLaptopsParameters(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := yaml.Load(source, &d); err != nil {
		t.Fatal(err)
	}
	for name := range templateParameters(options{}) {
		if _, ok := d.Parameters[name]; !ok {
			t.Errorf("the template has no parameter %s", name)
		}
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	got, err := loadTemplate("testdata/stack", "http://here", map[string]string{
		"SecretId": "", "PartnerEventBus": "aws.partner/okta.com/example/keyreeve", "NotDeclared": "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	buses := map[string]string{}
	for _, r := range got.rules {
		buses[r.name] = r.bus
	}
	allow := cmp.AllowUnexported(functionSpec{}, queueSpec{}, mappingSpec{}, route{})
	for _, diff := range []string{
		cmp.Diff([]functionSpec{{
			name: "Probe", folder: "functions/probe", timeout: time.Second, memory: 512, instances: defaultInstances,
			environment: map[string]string{
				"KEYREEVE_BUS": "keyreeve", "KEYREEVE_GREETING": "hello from keyreeve", "KEYREEVE_LIMIT": "8", "KEYREEVE_LEDGER": "dynamodb:Table",
				"KEYREEVE_REPORTS": "s3:keyreeve-reports/sweeps",
			},
		}}, got.functions, allow),
		cmp.Diff([]queueSpec{
			{name: "DeadLetters", visibility: 30 * time.Second},
			{name: "Queue", visibility: 6 * time.Second, deadLetters: "DeadLetters", maxReceives: 2},
		}, got.queues, allow),
		cmp.Diff([]mappingSpec{{name: "Mapping", queue: "Queue", function: "Probe", batch: 20, window: time.Second, concurrency: 2, partial: true}}, got.mappings, allow),
		cmp.Diff([]route{
			{key: "POST /v1/users/{user}/keys", method: "POST", segments: []string{"v1", "users", "{user}", "keys"}, function: "Probe", iam: true},
			{key: "ANY /open/{proxy+}", method: "ANY", segments: []string{"open", "{proxy+}"}, function: "Probe"},
		}, got.routes, allow),
		cmp.Diff("keyreeve", got.bus),
		cmp.Diff([]string{"keyreeve-reports"}, got.buckets),
		cmp.Diff(map[string]string{"Rule": "keyreeve", "PartnerRule": "aws.partner/okta.com/example/keyreeve"}, buses),
	} {
		if diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestTemplateEvaluates(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, value, want string }{
		{"text", `plain`, "plain"},
		{"number", `12`, "12"},
		{"boolean", `true`, "true"},
		{"parameter", `!Ref Name`, "alice"},
		{"number parameter", `!Ref Limit`, "7"},
		{"parameter given", `!Ref Given`, "from outside"},
		{"pseudo parameter", `!Ref AWS::Region`, "eu-central-1"},
		{"resource", `!Ref Table`, "Table"},
		{"queue", `!Ref Queue`, "http://here/000000000000/Queue"},
		{"bus", `!Ref Bus`, "events"},
		{"bucket", `!Sub "s3:${Reports}/x"`, "s3:keyreeve-reports/x"},
		{"attribute", `!GetAtt Queue.Arn`, "arn:aws:sqs:eu-central-1:000000000000:Queue"},
		{"attribute as a list", `!GetAtt [F, Arn]`, "arn:aws:lambda:eu-central-1:000000000000:function:F"},
		{"substitution", `!Sub "${Name}/${Queue.Arn}/${!Literal}/$x"`, "alice/arn:aws:sqs:eu-central-1:000000000000:Queue/${Literal}/$x"},
		{"join", `!Join [",", [a, !Ref Name]]`, "a,alice"},
		{"if", `!If [IsAlice, yes-it-is, !Ref Nobody]`, "yes-it-is"},
		{"if not", `!If [IsBob, !Ref Nobody, no]`, "no"},
		{"nested if", `!If [Both, !If [Either, deep, x], y]`, "deep"},
		{"no value", `!If [IsBob, x, !Ref AWS::NoValue]`, "(absent)"},
		{"long form", `{"Fn::If": [IsAlice, {Ref: Name}, x]}`, "alice"},
		{"anchor", `*same`, "shared"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := loadTemplate(folderWith(t, `
Description: &same shared
Parameters:
  Name: {Type: String, Default: alice}
  Limit: {Type: Number, Default: 7}
  Given: {Type: String}
Conditions:
  IsAlice: !Equals [!Ref Name, alice]
  IsBob: !Equals [bob, !Ref Name]
  Both: !And [!Condition IsAlice, !Not [!Condition IsBob]]
  Either: !Or [!Condition IsBob, !Condition IsAlice]
Resources:
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: events}}
  Queue: {Type: AWS::SQS::Queue}
  Table: {Type: AWS::DynamoDB::Table}
  Reports: {Type: AWS::S3::Bucket}
  Skipped: {Type: Unknown::To::Everybody, Condition: IsBob}
  F:
    Type: AWS::Serverless::Function
    Properties:
      Environment:
        Variables:
          VALUE: `+tt.value+"\n"), "http://here", map[string]string{"Given": "from outside"})
			if err != nil {
				t.Fatal(err)
			}
			value, ok := got.functions[0].environment["VALUE"]
			if !ok {
				value = "(absent)"
			}
			if value != tt.want {
				t.Errorf("%s is %q, want %q", tt.value, value, tt.want)
			}
		})
	}
}

// Whatever cannot be run is an error with its place, before anything starts.
func TestTemplateIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, resource, want string }{
		{"unknown type", `{Type: AWS::SNS::Topic}`, "R: line 6: a resource of type AWS::SNS::Topic cannot be run here"},
		{"unknown property", `{Type: AWS::SQS::Queue, Properties: {FifoQueue: true}}`, "R: line 6: field FifoQueue not found"},
		{"unknown property of a bucket", `{Type: AWS::S3::Bucket, Properties: {VersioningConfiguration: {Status: Enabled}}}`, "VersioningConfiguration"},
		{"unknown property of a function", `{Type: AWS::Serverless::Function, Properties: {FunctionUrlConfig: {AuthType: NONE}}}`, "FunctionUrlConfig"},
		{"unknown section of a resource", `{Type: AWS::SQS::Queue, CreationPolicy: {}}`, "CreationPolicy"},
		{"unknown function", `{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: !FindInMap [a, b, c]}}`, "R: line 6: the function !FindInMap is not known here"},
		{"unknown resource", `{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: !Ref Nothing}}`, "R: line 6: there is no parameter or resource Nothing"},
		{"skipped resource", `{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: !Ref Skipped}}`, "its condition does not hold"},
		{"unknown attribute", `{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: !GetAtt Bus.Policy}}`, "GetAtt Bus.Policy is not known here"},
		{"unknown condition", `{Type: AWS::SQS::Queue, Condition: Maybe}`, "R: line 6: there is no condition Maybe"},
		{"parameter without default", `{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: !Ref Open}}`, "the parameter Open has no default"},
		{"second bus", `{Type: AWS::Events::EventBus}`, "only one event bus"},
		{"unknown pattern operator", `{Type: AWS::Events::Rule, Properties: {EventBusName: !Ref Bus, EventPattern: {a: [{wildcard: "*"}]}}}`, "R: line 6: EventPattern: a: the operator wildcard is not known here"},
		{"schedule", `{Type: AWS::Events::Rule, Properties: {ScheduleExpression: rate(1 day)}}`, "ScheduleExpression"},
		{"target that is no queue", `{Type: AWS::Events::Rule, Properties: {EventBusName: !Ref Bus, EventPattern: {a: [b]}, Targets: [{Id: x, Arn: !GetAtt F.Arn}]}}`, "the target x is not a queue"},
		{"rule on another bus", `{Type: AWS::Events::Rule, Properties: {EventPattern: {a: [b]}}}`, "R listens to another bus"},
		{"rule on a bus that is no partner's", `{Type: AWS::Events::Rule, Properties: {EventBusName: partner/okta.com, EventPattern: {a: [b]}}}`, "R listens to another bus: partner/okta.com"},
		{"JWT", `{Type: AWS::ApiGatewayV2::Route, Properties: {RouteKey: GET /x, Target: integrations/I, AuthorizationType: JWT}}`, "the authorization type JWT"},
		{"default route", `{Type: AWS::ApiGatewayV2::Route, Properties: {RouteKey: $default, Target: integrations/I}}`, "is not METHOD /path"},
		{"route to nowhere", `{Type: AWS::ApiGatewayV2::Route, Properties: {RouteKey: GET /x, Target: integrations/I}}`, "the route GET /x leads to no integration"},
		{"mapping of an unknown queue", `{Type: AWS::Lambda::EventSourceMapping, Properties: {FunctionName: !Ref F, EventSourceArn: "x:Gone"}}`, "R names a queue that does not exist: Gone"},
		{"visibility below timeout", `{Type: AWS::Lambda::EventSourceMapping, Properties: {FunctionName: !Ref F, EventSourceArn: !GetAtt Short.Arn}}`, "the visibility timeout of Short is below the timeout of F"},
		{"large batch without a window", `{Type: AWS::Lambda::EventSourceMapping, Properties: {FunctionName: !Ref F, EventSourceArn: !GetAtt Short.Arn, BatchSize: 11}}`, "a BatchSize over 10 needs MaximumBatchingWindowInSeconds"},
		{"redrive without a count", `{Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt Short.Arn}}}`, "needs a maxReceiveCount"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := loadTemplate(folderWith(t, `Parameters:
  Open: {Type: String}
Conditions:
  Never: !Equals [a, b]
Resources:
  R: `+tt.resource+`
  Bus: {Type: AWS::Events::EventBus}
  Short: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 2}}
  Skipped: {Type: AWS::SQS::Queue, Condition: Never}
  F: {Type: AWS::Serverless::Function}
`), "http://here", nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func folderWith(t *testing.T, template string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "template.yaml"), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}
