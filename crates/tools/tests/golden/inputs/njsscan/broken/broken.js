export const = ;
function {
