-- Hold an amount on every account, or on none.
-- ARGV[1]  id of the hold        ARGV[2]  milliseconds after which it is forgotten      ARGV[3]  the amount
-- ARGV[4..] for each account: its limit, 1 if that is hard, the milliseconds of a bucket or 0, those it is kept for
local amount = tonumber(ARGV[3])
for i, key in ipairs(KEYS) do
  local at = 4 * i
  local spent, held = level(key, tonumber(ARGV[at + 2]))
  if ARGV[at + 1] == '1' and spent + held + amount > tonumber(ARGV[at]) then return { i, spent, held } end
end
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, 'h:' .. ARGV[1], string.format('%.0f:%.0f', amount, now + tonumber(ARGV[2])))
  redis.call('PEXPIRE', key, ARGV[4 * i + 3])
end
return { 0, 0, 0 }
