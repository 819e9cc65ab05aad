-- Exchange holds for what was really spent; answers with the levels before and after, account by account.
-- ARGV[1]  the amount
-- ARGV[2..] for each account: the milliseconds of a bucket or 0, those it is kept for; then the ids of the holds
local amount, levels = tonumber(ARGV[1]), {}
for i, key in ipairs(KEYS) do
  local width = tonumber(ARGV[2 * i])
  for at = 2 * #KEYS + 2, #ARGV do redis.call('HDEL', key, 'h:' .. ARGV[at]) end
  local spent = level(key, width)
  if amount > 0 then
    local field = 's'
    if width > 0 then field = string.format('b%.0f', math.floor(now / width)) end
    redis.call('HINCRBY', key, field, string.format('%.0f', amount))
    redis.call('PEXPIRE', key, ARGV[2 * i + 1])
  end
  levels[2 * i - 1], levels[2 * i] = spent, spent + amount
end
return levels
