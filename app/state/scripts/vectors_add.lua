-- Remember a question by its vector; forgets those that are over, and those that are over soonest where there are too many.
-- KEYS[1]  vector set: key of the answer -> vector of its question, and when it is gone
-- KEYS[2]  sorted set: name of a vector set, space, key -> when that is gone, in milliseconds
-- ARGV[2]  name of this one: what its key ends with
-- ARGV[3]  key of the answer
-- ARGV[4]  the vector
-- ARGV[5]  milliseconds that it is kept
-- ARGV[6]  how many there may be in all sets
local now = milliseconds()
local known = string.format('{"gone":%.0f}', now + ARGV[5])
local function add(try)
  return try('VADD', KEYS[1], 'FP32', ARGV[4], ARGV[3], 'NOQUANT', 'SETATTR', known)
end
local function drop_all(members)
  for _, member in ipairs(members) do drop(KEYS[2], member) end
end

local added = add(redis.pcall)
if type(added) == 'table' and added.err then -- a model whose vectors have another length now
  redis.call('DEL', KEYS[1])
  add(redis.call)
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[5]) then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
redis.call('ZADD', KEYS[2], now + ARGV[5], ARGV[2] .. ' ' .. ARGV[3])
drop_all(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100))
local over = redis.call('ZCARD', KEYS[2]) - ARGV[6]
if over > 0 then drop_all(redis.call('ZRANGE', KEYS[2], 0, over - 1)) end
