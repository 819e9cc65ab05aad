"""
Judge what goes to a model and what comes back: who is being talked into something, and who says what must not be said.

Pure but for what guards are given to ask with. `guard` says what a guard is, for everybody who wants to write one;
`seen` is what it sees of a request and of an answer. `checks`, `injection` and `moderation` are the gateway's own;
`spotlight`, and the tripwire in `checks`, change prompts so that attacks fail or show. `watching` looks at streams.
"""
