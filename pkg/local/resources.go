package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

type functionProperties struct {
	CodeURI     string `yaml:"CodeUri"`
	Timeout     int    `yaml:"Timeout"`
	MemorySize  int    `yaml:"MemorySize"`
	Concurrency int    `yaml:"ReservedConcurrentExecutions"`
	Environment struct {
		Variables map[string]string `yaml:"Variables"`
	} `yaml:"Environment"`
}

func (r *reader) function(name string, res resource) error {
	var p functionProperties
	p.CodeURI, p.Timeout, p.MemorySize = ".", 3, 128
	ignored := []string{"Architectures", "DeadLetterQueue", "Description", "Handler", "LoggingConfig", "Policies", "Runtime", "Tracing"}
	// Globals first: what the function itself says wins, and their environments are merged.
	environment := map[string]string{}
	for _, layer := range []*yaml.Node{&r.document.Globals.Function, &res.Properties} {
		p.Environment.Variables = nil
		if err := r.properties(layer, &p, ignored...); err != nil {
			return err
		}
		maps.Copy(environment, p.Environment.Variables)
	}
	folder := p.CodeURI
	if path.Clean(folder) == "." {
		// Built by the makefile's target of the function's name.
		folder = "functions/" + strings.ToLower(name)
	}
	if p.Concurrency == 0 {
		p.Concurrency = defaultInstances
	}
	r.template.functions = append(r.template.functions, functionSpec{
		name:        name,
		folder:      folder,
		timeout:     time.Duration(p.Timeout) * time.Second,
		memory:      p.MemorySize,
		environment: environment,
		instances:   p.Concurrency,
	})
	return nil
}

type queueProperties struct {
	VisibilityTimeout int `yaml:"VisibilityTimeout"`
	RedrivePolicy     struct {
		DeadLetters string `yaml:"deadLetterTargetArn"`
		MaxReceives int    `yaml:"maxReceiveCount"`
	} `yaml:"RedrivePolicy"`
}

func (r *reader) queue(name string, res resource) error {
	var p queueProperties
	p.VisibilityTimeout = 30
	err := r.properties(&res.Properties, &p, "KmsMasterKeyId", "MessageRetentionPeriod", "QueueName", "RedriveAllowPolicy", "SqsManagedSseEnabled", "Tags")
	if err != nil {
		return err
	}
	if p.RedrivePolicy.DeadLetters != "" && p.RedrivePolicy.MaxReceives < 1 {
		return errors.New("the RedrivePolicy needs a maxReceiveCount")
	}
	r.template.queues = append(r.template.queues, queueSpec{
		name:        name,
		visibility:  time.Duration(p.VisibilityTimeout) * time.Second,
		deadLetters: nameOfARN(p.RedrivePolicy.DeadLetters),
		maxReceives: p.RedrivePolicy.MaxReceives,
	})
	return nil
}

func (r *reader) bucket(name string, res resource) error {
	var p struct{}
	if err := r.properties(&res.Properties, &p, "BucketEncryption", "LifecycleConfiguration", "PublicAccessBlockConfiguration"); err != nil {
		return err
	}
	r.template.buckets = append(r.template.buckets, bucketName(name))
	return nil
}

type mappingProperties struct {
	FunctionName   string   `yaml:"FunctionName"`
	EventSourceArn string   `yaml:"EventSourceArn"`
	BatchSize      int      `yaml:"BatchSize"`
	BatchingWindow int      `yaml:"MaximumBatchingWindowInSeconds"`
	ResponseTypes  []string `yaml:"FunctionResponseTypes"`
	ScalingConfig  struct {
		MaximumConcurrency int `yaml:"MaximumConcurrency"`
	} `yaml:"ScalingConfig"`
}

func (r *reader) mapping(name string, res resource) error {
	var p mappingProperties
	p.BatchSize = 10
	p.ScalingConfig.MaximumConcurrency = defaultConcurrency
	if err := r.properties(&res.Properties, &p, "Tags"); err != nil {
		return err
	}
	m := mappingSpec{
		name:        name,
		queue:       nameOfARN(p.EventSourceArn),
		function:    nameOfARN(p.FunctionName),
		batch:       p.BatchSize,
		window:      time.Duration(p.BatchingWindow) * time.Second,
		concurrency: p.ScalingConfig.MaximumConcurrency,
	}
	for _, kind := range p.ResponseTypes {
		if kind != "ReportBatchItemFailures" {
			return fmt.Errorf("the function response type %s is not known here", kind)
		}
		m.partial = true
	}
	if m.batch < 1 || m.concurrency < 1 {
		return errors.New("BatchSize and MaximumConcurrency must be positive")
	}
	if m.batch > mostWithoutWindow && m.window <= 0 {
		return fmt.Errorf("a BatchSize over %d needs MaximumBatchingWindowInSeconds; Lambda refuses it without", mostWithoutWindow)
	}
	r.template.mappings = append(r.template.mappings, m)
	return nil
}

func (r *reader) eventBus(name string, res resource) error {
	if r.template.bus != "" {
		return errors.New("only one event bus is possible here")
	}
	var err error
	r.template.bus, err = r.busName(name, res)
	return err
}

func (r *reader) busName(name string, res resource) (string, error) {
	p := struct {
		Name string `yaml:"Name"`
	}{Name: name}
	err := r.properties(&res.Properties, &p, "DeadLetterConfig", "Description", "KmsKeyIdentifier", "LogConfig", "Tags")
	return p.Name, err
}

type ruleProperties struct {
	EventBusName string         `yaml:"EventBusName"`
	EventPattern map[string]any `yaml:"EventPattern"`
	State        string         `yaml:"State"`
	Targets      []struct {
		ID               string          `yaml:"Id"`
		Arn              string          `yaml:"Arn"`
		Input            string          `yaml:"Input"`
		InputPath        string          `yaml:"InputPath"`
		InputTransformer transformerSpec `yaml:"InputTransformer"`
		DeadLetterConfig struct {
			Arn string `yaml:"Arn"`
		} `yaml:"DeadLetterConfig"`
		RetryPolicy yaml.Node `yaml:"RetryPolicy"`
	} `yaml:"Targets"`
}

func (r *reader) rule(name string, res resource) error {
	var p ruleProperties
	if err := r.properties(&res.Properties, &p, "Description", "Name", "Tags"); err != nil {
		return err
	}
	if p.State == "DISABLED" {
		return nil
	}
	if p.State != "" && p.State != "ENABLED" {
		return fmt.Errorf("the state %s is not known here", p.State)
	}
	source, err := json.Marshal(p.EventPattern)
	if err != nil {
		return err
	}
	matches, err := parsePattern(source)
	if err != nil {
		return fmt.Errorf("EventPattern: %w", err)
	}
	rule := rule{name: name, bus: p.EventBusName, pattern: matches}
	for _, t := range p.Targets {
		if !strings.HasPrefix(t.Arn, queueARN("")) {
			return fmt.Errorf("the target %s is not a queue; no other is possible here", t.ID)
		}
		in, err := newInput(t.Input, t.InputPath, t.InputTransformer)
		if err != nil {
			return fmt.Errorf("the target %s: %w", t.ID, err)
		}
		rule.targets = append(rule.targets, target{queue: nameOfARN(t.Arn), deadLetters: nameOfARN(t.DeadLetterConfig.Arn), input: in})
	}
	r.template.rules = append(r.template.rules, rule)
	return nil
}

type apiProperties struct {
	ProtocolType string `yaml:"ProtocolType"`
}

func (r *reader) api(res resource) error {
	var p apiProperties
	if err := r.properties(&res.Properties, &p, "Description", "Name", "Tags"); err != nil {
		return err
	}
	if p.ProtocolType != "HTTP" {
		return fmt.Errorf("an API of protocol type %q cannot be run here", p.ProtocolType)
	}
	return nil
}

type integrationProperties struct {
	IntegrationType      string `yaml:"IntegrationType"`
	IntegrationURI       string `yaml:"IntegrationUri"`
	PayloadFormatVersion string `yaml:"PayloadFormatVersion"`
}

func (r *reader) integration(name string, res resource) error {
	var p integrationProperties
	if err := r.properties(&res.Properties, &p, "ApiId", "Description"); err != nil {
		return err
	}
	if p.IntegrationType != "AWS_PROXY" || p.PayloadFormatVersion != "2.0" {
		return errors.New("only AWS_PROXY integrations with payload format 2.0 are possible here")
	}
	r.integrations[name] = nameOfARN(p.IntegrationURI)
	return nil
}

type routeProperties struct {
	RouteKey          string `yaml:"RouteKey"`
	Target            string `yaml:"Target"`
	AuthorizationType string `yaml:"AuthorizationType"`
}

func (r *reader) route(res resource) error {
	var p routeProperties
	if err := r.properties(&res.Properties, &p, "ApiId", "OperationName"); err != nil {
		return err
	}
	route, err := parseRoute(p.RouteKey)
	if err != nil {
		return err
	}
	switch p.AuthorizationType {
	case "AWS_IAM":
		route.iam = true
	case "", "NONE":
	default:
		return fmt.Errorf("the authorization type %s cannot be run here", p.AuthorizationType)
	}
	route.function = shortName(p.Target)
	r.template.routes = append(r.template.routes, route)
	return nil
}
