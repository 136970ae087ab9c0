package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// template is what template.yaml asks for, of the things that run on a laptop. Everything is named by its logical
// id, and functions, queues and rules are in the order of those.
type template struct {
	// bus is the name of the event bus.
	bus       string
	functions []functionSpec
	queues    []queueSpec
	// buckets are the names of the buckets.
	buckets  []string
	mappings []mappingSpec
	rules    []rule
	routes   []route
}

// document is the YAML of a template. What CloudFormation checks before it deploys, and what it tells afterwards,
// is of no consequence here.
type document struct {
	Version     yaml.Node                       `yaml:"AWSTemplateFormatVersion"`
	Transform   yaml.Node                       `yaml:"Transform"`
	Description yaml.Node                       `yaml:"Description"`
	Rules       yaml.Node                       `yaml:"Rules"`
	Outputs     yaml.Node                       `yaml:"Outputs"`
	Parameters  map[string]map[string]yaml.Node `yaml:"Parameters"`
	Conditions  yaml.Node                       `yaml:"Conditions"`
	Resources   map[string]resource             `yaml:"Resources"`
	Globals     struct {
		Function yaml.Node `yaml:"Function"`
	} `yaml:"Globals"`
}

// resource is one entry of a template's Resources.
type resource struct {
	Type       yaml.Node `yaml:"Type"`
	Condition  string    `yaml:"Condition"`
	Properties yaml.Node `yaml:"Properties"`

	DependsOn           yaml.Node `yaml:"DependsOn"`
	Metadata            yaml.Node `yaml:"Metadata"`
	DeletionPolicy      yaml.Node `yaml:"DeletionPolicy"`
	UpdateReplacePolicy yaml.Node `yaml:"UpdateReplacePolicy"`
}

// ignoredTypes are the resources that have no part in running the stack on one machine: nobody is kept out here,
// nothing is billed or watched, and the ledger is a file or somebody else's table.
func ignoredTypes() []string {
	return []string{
		"AWS::ApiGatewayV2::Authorizer", // a route that needs one is refused
		"AWS::ApiGatewayV2::Stage",
		"AWS::CloudWatch::Alarm",
		"AWS::DynamoDB::Table",
		"AWS::Events::Archive",
		"AWS::IAM::Role",
		"AWS::Lambda::Permission",
		"AWS::Logs::LogGroup",
		"AWS::S3::BucketPolicy",
		"AWS::SQS::QueuePolicy",
		"AWS::Scheduler::Schedule", // whoever wants what it starts starts it
	}
}

// loadTemplate reads template.yaml in the folder root, with those parameters given that it declares, and the defaults of
// its others, for a stack that listens on the address.
func loadTemplate(root, address string, parameters map[string]string) (*template, error) {
	path := filepath.Join(root, "template.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("run this in the folder of the template: %w", err)
	}
	var d document
	if err := yaml.Load(data, &d, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t, err := d.read(address, parameters)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func (d document) read(address string, parameters map[string]string) (*template, error) {
	r := reader{document: d, address: address, template: &template{}, integrations: map[string]string{}}
	r.evaluator = evaluator{
		parameters: map[string]*yaml.Node{}, conditions: map[string]*yaml.Node{},
		reference: r.reference, attribute: r.attribute,
	}
	for i := 0; i+1 < len(d.Conditions.Content); i += 2 {
		r.evaluator.conditions[d.Conditions.Content[i].Value] = d.Conditions.Content[i+1]
	}
	for name, parameter := range d.Parameters {
		r.evaluator.parameters[name] = nil
		if value, ok := parameters[name]; ok {
			r.evaluator.parameters[name] = text(value)
		} else if value, ok := parameter["Default"]; ok {
			r.evaluator.parameters[name] = &value
		}
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(d.Resources)) {
		if err := r.resource(name, d.Resources[name]); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, atLine(d.Resources[name].Type.Line, err)))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	for i := range r.template.routes {
		function, ok := r.integrations[r.template.routes[i].function]
		if !ok {
			return nil, fmt.Errorf("the route %s leads to no integration", r.template.routes[i].key)
		}
		r.template.routes[i].function = function
	}
	sortRoutes(r.template.routes)
	return r.template, r.template.check()
}

// reader turns a document into a template.
type reader struct {
	document  document
	address   string
	evaluator evaluator
	template  *template
	// integrations holds the function behind each integration. Until all are read, a route's function is the name
	// of its integration.
	integrations map[string]string
}

func (r *reader) resource(name string, res resource) error {
	exists, err := r.exists(res)
	if err != nil || !exists {
		return err
	}
	switch kind := res.Type.Value; kind {
	case "AWS::Serverless::Function":
		return r.function(name, res)
	case "AWS::SQS::Queue":
		return r.queue(name, res)
	case "AWS::S3::Bucket":
		return r.bucket(name, res)
	case "AWS::Lambda::EventSourceMapping":
		return r.mapping(name, res)
	case "AWS::Events::EventBus":
		return r.eventBus(name, res)
	case "AWS::Events::Rule":
		return r.rule(name, res)
	case "AWS::ApiGatewayV2::Api":
		return r.api(res)
	case "AWS::ApiGatewayV2::Integration":
		return r.integration(name, res)
	case "AWS::ApiGatewayV2::Route":
		return r.route(res)
	default:
		if slices.Contains(ignoredTypes(), kind) {
			return nil
		}
		return fmt.Errorf("a resource of type %s cannot be run here", kind)
	}
}

// exists reports whether the resource's condition, if it has one, holds.
func (r *reader) exists(res resource) (bool, error) {
	if res.Condition == "" {
		return true, nil
	}
	return r.evaluator.condition(res.Condition)
}

// properties fills into with the resource's properties but the ignored ones. A property that into has no field for
// is an error.
func (r *reader) properties(n *yaml.Node, into any, ignored ...string) error {
	wanted := *n
	wanted.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !slices.Contains(ignored, n.Content[i].Value) {
			wanted.Content = append(wanted.Content, n.Content[i], n.Content[i+1])
		}
	}
	resolved, err := r.evaluator.resolve(&wanted)
	if err != nil {
		return err
	}
	if resolved == nil || resolved.IsZero() {
		return nil
	}
	return inLines(resolved.Load(into, yaml.WithKnownFields()))
}

// inLines gives what the YAML library found wrong the form of the other problems.
func inLines(err error) error {
	found, ok := errors.AsType[*yaml.LoadErrors](err)
	if !ok {
		return err
	}
	var problems []error
	for _, problem := range found.Errors {
		problems = append(problems, atLine(problem.Mark.Line, errors.New(problem.Message)))
	}
	return errors.Join(problems...)
}

// find returns the resource of the logical id, if the stack has it.
func (r *reader) find(name string) (resource, error) {
	res, ok := r.document.Resources[name]
	if !ok {
		return resource{}, fmt.Errorf("there is no parameter or resource %s", name)
	}
	exists, err := r.exists(res)
	if err != nil {
		return resource{}, err
	}
	if !exists {
		return resource{}, fmt.Errorf("%s is not part of the stack: its condition does not hold", name)
	}
	return res, nil
}

// reference answers Ref: a name, of a bucket or a bus its own, or the URL of a queue.
func (r *reader) reference(name string) (string, error) {
	res, err := r.find(name)
	if err != nil {
		return "", err
	}
	switch res.Type.Value {
	case "AWS::Events::EventBus":
		return r.busName(name, res)
	case "AWS::SQS::Queue":
		return queueURL(r.address, name), nil
	case "AWS::S3::Bucket":
		return bucketName(name), nil
	default:
		return name, nil
	}
}

// attribute answers GetAtt, for the resources that others name by their ARN.
func (r *reader) attribute(name, attribute string) (string, error) {
	res, err := r.find(name)
	if err != nil {
		return "", err
	}
	if attribute == "Arn" {
		switch res.Type.Value {
		case "AWS::Serverless::Function":
			return functionARN(name), nil
		case "AWS::SQS::Queue":
			return queueARN(name), nil
		}
	}
	return "", fmt.Errorf("GetAtt %s.%s is not known here", name, attribute)
}

// check reports what does not fit together.
func (t *template) check() error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	queues, functions := map[string]queueSpec{}, map[string]functionSpec{}
	for _, q := range t.queues {
		queues[q.name] = q
	}
	for _, f := range t.functions {
		functions[f.name] = f
	}
	known := func(user, queue string) {
		if _, ok := queues[queue]; !ok && queue != "" {
			problem("%s names a queue that does not exist: %s", user, queue)
		}
	}
	for _, q := range t.queues {
		known(q.name, q.deadLetters)
	}
	for _, r := range t.rules {
		if r.bus != t.bus && !strings.HasPrefix(r.bus, partnerPrefix) {
			problem("%s listens to another bus: %s", r.name, r.bus)
		}
		for _, target := range r.targets {
			known(r.name, target.queue)
			known(r.name, target.deadLetters)
		}
	}
	read := map[string]bool{}
	for _, m := range t.mappings {
		known(m.name, m.queue)
		q, queueExists := queues[m.queue]
		f, functionExists := functions[m.function]
		switch {
		case !functionExists:
			problem("%s names a function that does not exist: %s", m.name, m.function)
		case queueExists && q.visibility < f.timeout:
			problem("the visibility timeout of %s is below the timeout of %s; Lambda refuses that", m.queue, m.function)
		}
		if read[m.queue] {
			problem("%s is a second mapping of %s; only one is possible here", m.name, m.queue)
		}
		read[m.queue] = true
	}
	for _, route := range t.routes {
		if _, ok := functions[route.function]; !ok {
			problem("the route %s leads to no function", route.key)
		}
	}
	return errors.Join(problems...)
}

// shortName is the last element of a name such as "integrations/ActivateIntegration".
func shortName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
