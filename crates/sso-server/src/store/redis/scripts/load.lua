-- Store::load.
local cookie = ARGV[3]
local id = redis.call('GET', key('cookie', cookie))
if not id then return false end
local of = redis.call('HMGET', key('session', id), 'cookie', 'old')
if of[1] ~= cookie and of[2] ~= cookie then return false end
return answer(id)
