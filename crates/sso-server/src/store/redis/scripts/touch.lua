-- Store::touch, as note_touch (store/rules.rs) says.
local id, at, keep, epoch, ends = unpack(ARGV, 3)
local s = key('session', id)
local was = redis.call('HMGET', s, 'seen', 'keep', 'epoch')
if was[3] ~= epoch then return 'conflict' end
redis.call('HSET', s, 'seen', later(was[1], at), 'keep', later(was[2], keep))
if tonumber(keep) > tonumber(was[2]) then keep_session(id, keep) end
note_end(id, later_end(id, ends), later(was[2], keep))
return 'done'
