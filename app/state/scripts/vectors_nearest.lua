-- Return the key of the answer to the most similar question that is still kept, and how similar it is (0 to 1), or nothing.
-- KEYS[1]  vector set: key of the answer -> vector of its question, and when it is gone
-- ARGV[1]  a vector
local kept = string.format('.gone > %.0f', milliseconds())
local found = redis.pcall('VSIM', KEYS[1], 'FP32', ARGV[1], 'WITHSCORES', 'COUNT', 1, 'FILTER', kept)
return found.err and {} or found -- vectors of another length are nothing to compare with
