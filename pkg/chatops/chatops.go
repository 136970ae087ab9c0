// Package chatops is how people run access keys from Slack: a slash command, buttons, and for what cannot be undone a
// second person's approval. What somebody typed becomes a [Command]; what somebody else has to approve is a [Pending].
package chatops
