/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What the command line asks for.
 */
#ifndef HOST_SCHED_OPTIONS_H
#define HOST_SCHED_OPTIONS_H

struct sched_options {
	const char *program, *flavor;
	const char *scenario;   /**< NULL: all */
	const char *plant;      /**< a mistake that takes the right function's place; NULL: none */
	const char *replay;     /**< switches to make, and no others */
	unsigned long schedule; /**< 0, or the number of the one to print */
	unsigned bound;         /**< most preemptions */
	int races;              /**< two accesses that nothing orders are wrong, whatever comes of them */
	int every;     /**< leave nothing out, even if it comes to a state that has been met: to check that nothing is lost so */
	unsigned runs; /**< threads.c: how often */
};
extern struct sched_options options;

#endif
