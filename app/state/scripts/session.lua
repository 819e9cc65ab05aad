-- What every step on one session begins with. Times are milliseconds of Redis, which all replicas share.
-- KEYS[1]  hash: about, ttl, expires, turns, messages, size, instructions, and leading, the bytes of these
-- KEYS[2]  list: the messages; gone once the session has expired
-- KEYS[3]  sorted set: the sessions of this owner by when they expire
-- ARGV[1]  id of the session
-- ARGV[2]  milliseconds for which it is remembered that a session has expired
local ID, GRACE = ARGV[1], tonumber(ARGV[2])
local now = milliseconds()

-- Let the session live for its time from now on.
local function touch()
  local ttl = tonumber(redis.call('HGET', KEYS[1], 'ttl'))
  redis.call('HSET', KEYS[1], 'expires', string.format('%d', now + ttl))
  redis.call('PEXPIRE', KEYS[1], ttl + GRACE)
  redis.call('PEXPIRE', KEYS[2], ttl)
  redis.call('ZADD', KEYS[3], now + ttl, ID)
  redis.call('PEXPIRE', KEYS[3], math.max(redis.call('PTTL', KEYS[3]), ttl + GRACE))
end

local function head(key)
  return redis.call('HMGET', key, 'about', 'ttl', 'expires', 'turns', 'messages', 'size')
end

local function push(from)
  for i = from, #ARGV do
    redis.call('RPUSH', KEYS[2], ARGV[i])
  end
  return #ARGV - from + 1
end

-- Say why there is no such session, or nothing if there is.
local function missing()
  local expires = redis.call('HGET', KEYS[1], 'expires')
  if not expires then return 'gone' end
  if now < tonumber(expires) then return false end
  redis.call('HSET', KEYS[1], 'about', '', 'instructions', '[]', 'leading', 0, 'size', 0)
  redis.call('DEL', KEYS[2])
  redis.call('ZREM', KEYS[3], ID)
  return 'expired'
end
