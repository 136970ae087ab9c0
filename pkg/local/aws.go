package main

import "strings"

// Where the stack pretends to be.
const (
	region    = "eu-central-1"
	accountID = "000000000000"
	stackName = "keyreeve"
)

func pseudoParameters() map[string]string {
	return map[string]string{
		"AWS::AccountId": accountID,
		"AWS::Partition": "aws",
		"AWS::Region":    region,
		"AWS::StackName": stackName,
		"AWS::URLSuffix": "amazonaws.com",
	}
}

// arn names a thing of a service: a queue by its name alone, everything else as "kind/name" or "kind:name".
func arn(service, name string) string {
	return strings.Join([]string{"arn", "aws", service, region, accountID, name}, ":")
}

func queueARN(name string) string    { return arn("sqs", name) }
func busARN(name string) string      { return arn("events", "event-bus/"+name) }
func functionARN(name string) string { return arn("lambda", "function:"+name) }

// nameOfARN returns the last part of an ARN: the name of a queue or function.
func nameOfARN(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }
