-- Forget the questions whose answers have a key that begins so.
-- KEYS[1]  sorted set: name of a vector set, space, key of an answer -> when that is gone
-- ARGV[2]  what the keys of the answers begin with
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local key = string.match(member, '^%S+ (.*)$')
  if string.sub(key, 1, #ARGV[2]) == ARGV[2] then drop(KEYS[1], member) end
end
