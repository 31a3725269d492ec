/** Whether this build can judge a simulated platform. */
declare const __DEVELOPMENT__: boolean;
