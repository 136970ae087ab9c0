package main

import (
	"net/url"
	"strings"
)

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

// bucketName is what Ref of a bucket says: CloudFormation makes it of the stack's name and its own, in small letters.
func bucketName(name string) string { return stackName + "-" + strings.ToLower(name) }

// queueURL is what Ref of a queue says and calls to SQS name it by, where the stack listens on the address.
func queueURL(address, name string) string { return address + "/" + accountID + "/" + name }

// nameOfQueueURL returns the name of the queue, "" where the URL is none of a queue of ours. As on AWS, where the URL leads
// does not matter.
func nameOfQueueURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	name, ours := strings.CutPrefix(u.Path, "/"+accountID+"/")
	if !ours {
		return ""
	}
	return name
}

// nameOfARN returns the last part of an ARN: the name of a queue or function.
func nameOfARN(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }
