/* mustache.js 2.0.0 */
