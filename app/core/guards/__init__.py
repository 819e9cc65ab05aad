"""
Guards: check prompts and answers for attacks and for unwanted content.

Pure, except for the function by which guards call models. `guard` is the interface, also for guards of other packages;
`seen` extracts what guards see of requests and answers. `checks`, `injection` and `moderation` are the built-in guards.
`spotlight`, and the tripwire in `checks`, change prompts so that attacks fail or show. `watching` is for streams.
"""
