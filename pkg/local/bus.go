package main

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// keptEvents is how many events the bus remembers.
const keptEvents = 1000

// rule sends the events that match its pattern to its targets.
type rule struct {
	name, bus string
	pattern   pattern
	targets   []target
}

// target is a queue, and what it gets of an event. Events of which that cannot be made go to the dead letters.
type target struct {
	queue, deadLetters string
	input              input
}

// bus is the event bus of the template, and each partner event bus that a rule of the template listens to.
type bus struct {
	// name is that of the template's own.
	name    string
	rules   []rule
	queues  map[string]*queue
	tracker *tracker
	console *console

	mu     sync.Mutex
	recent []delivered
}

// delivered is an event that was on the bus, and where it went.
type delivered struct {
	Event event    `json:"event"`
	Rules []string `json:"rules"`
}

// matching returns the rules that an event is for: of the bus that it is on, those whose patterns it matches.
func (b *bus) matching(e event, decoded any) []rule {
	on := b.name
	if e.fromPartner() {
		on = e.Source
	}
	return slices.DeleteFunc(slices.Clone(b.rules), func(r rule) bool { return r.bus != on || !r.pattern.match(decoded) })
}

// publish puts a valid event on its bus and into the queues of the rules that match it.
func (b *bus) publish(e event) error {
	envelope, err := json.Marshal(e)
	if err != nil {
		return err
	}
	decoded, err := decode(envelope)
	if err != nil {
		return err
	}
	matching := b.matching(e, decoded)
	request := e.request()
	switch e.DetailType {
	case finishedType:
		b.tracker.outcome(request, e.Detail)
		b.console.step("%s: %s", e.DetailType, summary(e.Detail))
	case sweepFinishedType, sweepStoppedType:
		b.console.step("%s: %s", e.DetailType, sweepSummary(e.Detail))
	default:
		b.console.step("%s from %s, %s → %s", e.DetailType, e.Source, request, routesOf(matching))
	}
	b.remember(e, matching)
	for _, r := range matching {
		for _, t := range r.targets {
			b.deliver(r, t, request, envelope)
		}
	}
	return nil
}

func (b *bus) deliver(r rule, t target, request string, envelope []byte) {
	body, err := t.input(envelope)
	if err == nil {
		b.queues[t.queue].send(string(body), request)
		return
	}
	if t.deadLetters == "" {
		b.console.step("%s: the input of %s cannot be made: %v; the event is lost", r.name, t.queue, err)
		return
	}
	b.console.step("%s: the input of %s cannot be made: %v → %s", r.name, t.queue, err, t.deadLetters)
	b.queues[t.deadLetters].send(string(envelope), request)
}

// routesOf names rules and the queues behind them.
func routesOf(rules []rule) string {
	var routes []string
	for _, r := range rules {
		for _, t := range r.targets {
			routes = append(routes, r.name+" → "+t.queue)
		}
	}
	if len(routes) == 0 {
		return "no rule"
	}
	return strings.Join(routes, ", ")
}

func (b *bus) remember(e event, matching []rule) {
	d := delivered{Event: e, Rules: make([]string, len(matching))}
	for i, r := range matching {
		d.Rules[i] = r.name
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recent = append(b.recent, d)
	b.recent = b.recent[max(0, len(b.recent)-keptEvents):]
}

// events returns the last events, the oldest first.
func (b *bus) events() []delivered {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.recent)
}
