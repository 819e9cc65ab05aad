-- Forget the questions whose answers have a key that begins so.
-- KEYS[1]  sorted set: name of a vector set, space, key of an answer -> when that is gone
-- ARGV[1]  what the keys of all vector sets begin with
-- ARGV[2]  what the keys of the answers begin with
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local name, key = string.match(member, '^(%S+) (.*)$')
  if string.sub(key, 1, #ARGV[2]) == ARGV[2] then
    redis.call('VREM', ARGV[1] .. name, key)
    redis.call('ZREM', KEYS[1], member)
  end
end
